// Shortcuts of one key. They move and focus, and never decide: a decision takes Enter as well.

import { announce } from "./base.js";

const SETTING = "keyboardShortcuts";

export function isTyping(target) {
  return target.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
}

export function areOn() {
  return localStorage.getItem(SETTING) !== "off";
}

export function turn(isOn) {
  localStorage.setItem(SETTING, isOn ? "on" : "off");
  showKeys();
}

export function showKeys() {
  document.body.classList.toggle("no-keys", !areOn());
}

// `act` gets a key that was pressed outside of any field; it returns true where it did something.
export function listen(act) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
    else if (areOn() && !isTyping(event.target) && act(event.key, event)) event.preventDefault();
  });
}

// The button of a shortcut is only brought forward: Enter presses it.
export function bringForward(button) {
  button.scrollIntoView({ block: "nearest" });
  button.focus({ focusVisible: true });
  announce(`Press Enter: ${button.firstChild.textContent.trim()}`);
}
