// The question before something is done that changes the program.

const place = (id) => document.getElementById(id);

/** Asks whoever sits before the page. `label` is what the button says that does it. */
export function confirmed(text, label) {
  const dialog = place("question");
  place("question-text").textContent = text;
  place("yes").textContent = label;
  return new Promise((resolve) => {
    dialog.returnValue = "";
    place("yes").onclick = () => dialog.close("yes");
    place("no").onclick = () => dialog.close("");
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}
