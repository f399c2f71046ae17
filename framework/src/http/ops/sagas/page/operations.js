// Begins the page: asks for the token where it has none, then shows what is parked, the sagas, and the one that the address names.

import { Refusal, dropToken, hasToken, takeToken } from "./api.js";
import { showLists, turn } from "./list.js";
import { showOne } from "./timeline.js";

const place = (id) => document.getElementById(id);

function complain(error) {
  place("problem").textContent = error.message;
  place("problem").hidden = false;
  if (error instanceof Refusal && error.status === 401) {
    dropToken();
    askForToken();
  }
}

function askForToken() {
  place("token").hidden = false;
  place("token-text").focus();
}

/** Does something, and shows everything anew. */
async function changed(something = async () => {}) {
  place("problem").hidden = true;
  try {
    await something();
  } catch (error) {
    complain(error);
  }
  await show();
}

async function show() {
  const shown = await Promise.allSettled([showOne(changed), showLists()]);
  const failed = shown.find((part) => part.status === "rejected");
  if (failed) complain(failed.reason);
  else place("token").hidden = true;
}

place("token").addEventListener("submit", (event) => {
  event.preventDefault();
  takeToken(place("token-text").value);
  place("token-text").value = "";
  changed();
});
place("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  turn(0);
  changed();
});
place("newer").addEventListener("click", () => {
  turn(-1);
  changed();
});
place("older").addEventListener("click", () => {
  turn(1);
  changed();
});
addEventListener("hashchange", () => {
  if (hasToken()) changed();
});

if (hasToken()) changed();
else askForToken();
