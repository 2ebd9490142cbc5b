// Comments on a section, a file or selected words. They go to the agent with "Request changes".

import { announce } from "../base.js";

const LONGEST_QUOTE = 300;
const field = document.querySelector("[data-takes-notes]");
const list = document.getElementById("notes");
const key = `notes-${document.body.dataset.request}-${document.body.dataset.digest}`;
let notes = [];

export function startNotes() {
  if (!field) return;
  notes = JSON.parse(sessionStorage.getItem(key) ?? "[]");
  for (const part of document.querySelectorAll(".document")) {
    const headings = part.querySelectorAll(":scope > .row h2, .reading :is(h3, h4, h5), .file > summary, .diff");
    for (const heading of headings) addButton(part, heading);
  }
  // Sent only with what the person sees in the form.
  field.form.addEventListener("submit", () => sessionStorage.removeItem(key));
  show();
}

function placeOf(part, heading) {
  const title = part.dataset.title;
  if (heading.matches("h2")) return `“${title}”`;
  if (heading.matches(".diff")) return `“${title}”, ${heading.getAttribute("aria-label")}`;
  const words = heading.firstChild.textContent.trim() || heading.textContent.trim();
  return `“${title}”, ${words}`;
}

function addButton(part, heading) {
  const place = placeOf(part, heading);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain note-add";
  button.textContent = "Comment";
  button.setAttribute("aria-label", `Comment on ${place}`);
  button.addEventListener("click", (event) => {
    event.preventDefault();
    write(part, heading, place);
  });
  // A button within a heading or a summary would be read as part of its name.
  if (heading.matches("summary")) heading.parentElement.append(button);
  else heading.after(button);
}

// What is selected in the document is quoted, so that a comment can be about a line.
function quoteIn(part) {
  const selection = getSelection();
  if (selection.isCollapsed || !part.contains(selection.anchorNode)) return "";
  return selection.toString().trim().replaceAll(/\s+/g, " ").slice(0, LONGEST_QUOTE);
}

function write(part, heading, place) {
  const quote = quoteIn(part);
  const form = document.createElement("div");
  form.className = "note-form";
  const label = document.createElement("label");
  const text = document.createElement("textarea");
  const add = document.createElement("button");
  const drop = document.createElement("button");
  label.textContent = `Comment on ${place}`;
  text.rows = 3;
  text.maxLength = 4000;
  label.append(text);
  add.type = drop.type = "button";
  add.className = "primary";
  add.textContent = "Keep for “Request changes”";
  drop.textContent = "Drop";
  if (quote) {
    const words = document.createElement("blockquote");
    words.textContent = quote;
    form.append(words);
  }
  form.append(label, add, " ", drop);
  const anchor = heading.matches("summary") ? heading.parentElement.lastElementChild : heading.nextElementSibling;
  anchor.after(form);
  text.focus();
  drop.addEventListener("click", () => form.remove());
  add.addEventListener("click", () => {
    if (!text.value.trim()) return text.focus();
    notes.push({ place: quote ? `${place}, “${quote}”` : place, text: text.value.trim() });
    form.remove();
    show();
    announce(`Kept. ${notes.length} comments go with “Request changes”.`);
  });
}

function hidden(name, value) {
  const input = document.createElement("input");
  input.type = "hidden";
  input.name = name;
  input.value = value;
  return input;
}

function show() {
  sessionStorage.setItem(key, JSON.stringify(notes));
  list.hidden = notes.length === 0;
  // With comments on parts there need not be another one.
  field.required = notes.length === 0;
  list.replaceChildren(
    ...notes.map((note, index) => {
      const item = document.createElement("li");
      const place = document.createElement("span");
      const drop = document.createElement("button");
      place.className = "quiet";
      place.textContent = `On ${note.place}`;
      drop.type = "button";
      drop.className = "plain";
      drop.textContent = "Drop";
      drop.addEventListener("click", () => {
        notes.splice(index, 1);
        show();
      });
      item.append(place, document.createElement("br"), note.text, " ", drop);
      item.append(hidden("note-place", note.place), hidden("note-text", note.text));
      return item;
    }),
  );
  if (notes.length) field.closest("details").open = true;
}
