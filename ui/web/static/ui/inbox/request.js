// The request's page: keyboard, the editor of an amendment, and a warning when the request has changed.

import { followRequests, freshen, soon } from "../live.js";
import { askWaiting } from "../base.js";
import { areOn, bringForward, listen, showKeys, turn } from "../keys.js";
import { startEditor } from "./editor.js";
import "./materials.js";
import { startNotes } from "./notes.js";
import { startViewed } from "./viewed.js";

const body = document.body;
const keys = document.getElementById("keys");
const SECOND_PRESS_MILLISECONDS = 700;

function open(id) {
  const section = document.getElementById(id);
  section.hidden = false;
  section.scrollIntoView({ block: "start" });
  section.querySelector("textarea:not([hidden]), input:not([type=hidden])")?.focus();
}

function press(target) {
  if (target.matches("summary")) {
    target.parentElement.open = true;
    target.parentElement.querySelector("textarea").focus();
  } else if (target.dataset.opens) open(target.dataset.opens);
  else bringForward(target);
}

function onKey(key) {
  if (key === "n") document.getElementById("next")?.click();
  const target = document.querySelector(
    `[data-key="${CSS.escape(key)}"], [data-focus="${CSS.escape(key)}"]`,
  );
  if (!target) return false;
  if (target.dataset.focus) target.focus();
  else press(target);
  return true;
}

function rememberKeys() {
  if (!keys) return;
  keys.checked = areOn();
  keys.addEventListener("change", () => turn(keys.checked));
}

// Who presses twice meant the request before: the buttons of the one that follows wait a moment.
function waitAfterADecision() {
  const cameFrom = document.referrer && new URL(document.referrer).pathname;
  if (!cameFrom?.includes("/hitlrequest/") || !document.querySelector(".messages .success")) return;
  for (const button of document.querySelectorAll(".decide button[type=submit][data-key]")) {
    button.disabled = true;
    setTimeout(() => (button.disabled = false), SECOND_PRESS_MILLISECONDS);
  }
}

// Somebody decided, or another version took the place: say so before the person decides on it.
const look = soon(async () => {
  askWaiting().catch(() => {});
  // After a refusal the page stands at the address that it was sent to.
  const page = location.href.split("#")[0].replace(/[a-z]+\/$/, "change/");
  const fresh = (await freshen(null, page))?.body.dataset;
  if (!fresh || !("pending" in body.dataset)) return;
  const isSame = "pending" in fresh && fresh.digest === body.dataset.digest;
  document.getElementById("changed").hidden = isSame;
});

listen(onKey);
showKeys();
waitAfterADecision();
for (const opener of document.querySelectorAll("[data-opens]")) {
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    open(opener.dataset.opens);
  });
}
for (const closer of document.querySelectorAll("[data-closes]")) {
  closer.addEventListener("click", () => {
    document.getElementById(closer.dataset.closes).hidden = true;
  });
}
rememberKeys();
startEditor();
startNotes();
startViewed();
followRequests({ [body.dataset.project]: Number(body.dataset.head) }, look);
setInterval(() => document.hidden || look(), 30_000);
