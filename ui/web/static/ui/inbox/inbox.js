// The inbox follows what happens: new requests appear, decided ones leave; selections stay.

import { announce, askWaiting, setWaiting } from "../base.js";
import { bringForward, listen, showKeys } from "../keys.js";
import { followRequests, freshen, soon } from "../live.js";
import { isPreviewed, preview, previewFocused } from "./preview.js";

const POLL_MILLISECONDS = 10_000;
const form = document.getElementById("bulk");
const all = document.querySelector("#select-all input");
const counter = document.getElementById("bulk-count");
let isLive = false;

function digestOf(id) {
  return form.querySelector(`input[name="digest-${id}"]`)?.value;
}

function selected() {
  return new Map(
    [...form.querySelectorAll("input[name=_selected_action]:checked")].map((box) => [
      box.value,
      digestOf(box.value),
    ]),
  );
}

function boxes() {
  return [...form.querySelectorAll("input[name=_selected_action]")];
}

function showCount() {
  const number = selected().size;
  all.checked = number > 0 && number === boxes().length;
  all.indeterminate = number > 0 && !all.checked;
  all.parentElement.hidden = boxes().length < 2;
  const unread = boxes().filter((box) => box.checked && !("read" in box.closest("li").dataset)).length;
  counter.textContent = number ? `${number} selected.` : "None selected.";
  if (unread) counter.textContent += ` ${unread} not opened yet: those are not decided.`;
  for (const id of ["bulk-bar", "inbox-keys"]) {
    document.getElementById(id).hidden = rows().length === 0;
  }
  document.getElementById("bulk-bar").classList.toggle("idle", number === 0);
  for (const button of form.querySelectorAll("#bulk-bar button")) button.disabled = number === 0;
}

// What changed while it was selected must be read again, so it is not selected any more.
function keepSelection(before) {
  for (const [id, digest] of before) {
    const box = form.querySelector(`input[name=_selected_action][value="${id}"]`);
    if (box && digestOf(id) === digest) box.checked = true;
  }
  showCount();
}

// The page may have been made before this one showed what it is about.
function keepRead(page) {
  for (const row of rows().filter((row) => "read" in row.dataset)) {
    const again = page.getElementById(row.id);
    const [shown, now] = [row, again].map((one) => one?.querySelector("input[name^=digest-]")?.value);
    if (again && shown === now) again.dataset.read = "";
  }
}

function rows() {
  return [...document.querySelectorAll("li.request")];
}

function move(step) {
  const links = rows().map((row) => row.querySelector("a[data-preview]"));
  const place = links.findIndex((link) => link.closest("li").matches("[aria-current]"));
  const link = links[Math.max(0, Math.min(links.length - 1, place + step))];
  if (!link) return false;
  link.focus({ focusVisible: true });
  link.scrollIntoView({ block: "nearest" });
  return true;
}

function toggle() {
  const box = document.querySelector("li.request[aria-current] input[type=checkbox]");
  if (!box) return false;
  box.click();
  return true;
}

function onKey(key) {
  if (key === "j") return move(1);
  if (key === "k") return move(-1);
  if (key === "x") return toggle();
  const button = document.querySelector(`#preview [data-key="${CSS.escape(key)}"]`);
  if (!button || !isPreviewed()) return false;
  bringForward(button);
  return true;
}

function headsIn(page) {
  return JSON.parse(page.getElementById("heads").textContent);
}

const refresh = soon(async () => {
  let before = new Map();
  let known = new Set();
  // As it is when the rows are swapped, not when they were asked for.
  const fresh = await freshen((page) => {
    before = selected();
    known = new Set(rows().map((row) => row.id));
    const current = document.querySelector("li.request[aria-current]")?.id;
    if (current) page.getElementById(current)?.setAttribute("aria-current", "true");
    keepRead(page);
  });
  if (fresh === null) return;
  setWaiting(Number(fresh.body.dataset.waiting));
  follow(headsIn(fresh));
  keepSelection(before);
  const added = rows().filter((row) => !known.has(row.id));
  for (const row of added) row.classList.add("just-changed");
  if (added.length) announce(`New: ${added.map((row) => row.querySelector("a").textContent).join("; ")}`);
});

all.addEventListener("change", () => {
  for (const box of boxes()) box.checked = all.checked;
});
form.addEventListener("change", showCount);
addEventListener("previewed", showCount);
showCount();
showKeys();
listen(onKey);
previewFocused(document.querySelector(".split"));
form.addEventListener("click", (event) => {
  const row = event.target.closest("li.request");
  if (row && !event.target.closest("a, input, label, button")) preview(row);
});
const follow = followRequests({ inbox: 0, ...headsIn(document) }, refresh, (state) => {
  isLive = state;
  if (state) refresh();
});
// The news may be lost; the page asks by itself, seldom while the socket is open.
let rounds = 0;
setInterval(async () => {
  rounds += 1;
  if (document.hidden || (isLive && rounds % 6)) return;
  if (await askWaiting().catch(() => false)) refresh();
}, POLL_MILLISECONDS);
