// Begins the page: Swagger UI for HTTP, own sections for the rest.

import { render } from "./sections.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

async function load(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

function complain(error) {
  const place = document.getElementById("problem");
  place.textContent = `The page could not be filled: ${error.message}`;
  place.hidden = false;
}

function startSwagger(spec) {
  const place = document.getElementById("swagger-ui");
  if (Object.keys(spec.paths).length === 0) {
    place.textContent = "None.";
    place.className = "quiet";
    return;
  }
  window.SwaggerUIBundle({
    domNode: place,
    spec,
    presets: [window.SwaggerUIBundle.presets.apis],
    // The program is on this machine or behind a wall: no stranger is asked whether its document is valid.
    validatorUrl: null,
    queryConfigEnabled: false,
    tryItOutEnabled: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
  });
}

load("openapi.json").then(startSwagger).catch(complain);
load("asyncapi.json").then(render).catch(complain);
