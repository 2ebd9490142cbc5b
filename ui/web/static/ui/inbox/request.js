// The request's page: keyboard, the editor of an amendment, and a warning when the request has changed.

import { followRequests, freshen, soon } from "../live.js";
import { askWaiting } from "../base.js";
import { startEditor } from "./editor.js";
import "./materials.js";

const body = document.body;
const keys = document.getElementById("keys");

function open(id) {
  const section = document.getElementById(id);
  section.hidden = false;
  section.scrollIntoView({ block: "start" });
  section.querySelector("textarea:not([hidden]), input:not([type=hidden])")?.focus();
}

function isTyping(target) {
  return target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

function press(target) {
  if (target.matches("summary")) {
    target.parentElement.open = true;
    target.parentElement.querySelector("textarea").focus();
  } else if (target.dataset.opens) open(target.dataset.opens);
  else target.click();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
  if (!keys?.checked && keys) return;
  if (isTyping(event.target)) return;
  const target = document.querySelector(
    `[data-key="${CSS.escape(event.key)}"], [data-focus="${CSS.escape(event.key)}"]`,
  );
  if (event.key === "n") document.getElementById("next")?.click();
  if (!target) return;
  event.preventDefault();
  if (target.dataset.focus) target.focus();
  else press(target);
}

function rememberKeys() {
  if (!keys) return;
  keys.checked = localStorage.getItem("keyboardShortcuts") !== "off";
  const show = () => body.classList.toggle("no-keys", !keys.checked);
  keys.addEventListener("change", () => {
    localStorage.setItem("keyboardShortcuts", keys.checked ? "on" : "off");
    show();
  });
  show();
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

document.addEventListener("keydown", onKey);
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
followRequests({ [body.dataset.project]: Number(body.dataset.head) }, look);
setInterval(() => document.hidden || look(), 30_000);
