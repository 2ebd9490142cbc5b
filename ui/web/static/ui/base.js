// Every page: the count of what waits, in the menu and in the tab's title.

import { visible } from "./visible.js";

const body = document.body;

export function setWaiting(count) {
  if (Number.isNaN(count)) return;
  body.dataset.waiting = String(count);
  document.title = (count ? `(${count}) ` : "") + body.dataset.title;
  for (const badge of document.querySelectorAll("[data-waiting-count]")) {
    badge.textContent = String(count);
    badge.hidden = count === 0;
  }
}

export function announce(text) {
  document.getElementById("live-note").textContent = visible(text);
}

// Ask the server what waits. True when the number has changed.
export async function askWaiting() {
  const answer = await fetch(body.dataset.waitingUrl, { headers: { Accept: "application/json" } });
  if (!answer.ok || answer.redirected) return false;
  const before = Number(body.dataset.waiting);
  const { waiting } = await answer.json();
  setWaiting(waiting);
  return waiting !== before;
}

// As the system has it, or as it was chosen here; theme.js reads it before the first paint.
function chosenTheme() {
  try {
    return JSON.parse(localStorage.getItem("adminTheme")) ?? "";
  } catch {
    return "";
  }
}

function showTheme() {
  const chosen = chosenTheme();
  const isDark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
  }
}

for (const button of document.querySelectorAll("[data-theme-choice]")) {
  button.addEventListener("click", () => {
    localStorage.setItem("adminTheme", JSON.stringify(button.dataset.themeChoice || null));
    showTheme();
  });
}
showTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
for (const form of document.querySelectorAll("form[method=post]")) {
  // A second click while the first is under way would only be refused.
  form.addEventListener("submit", (event) => {
    if (form.dataset.isSent) event.preventDefault();
    form.dataset.isSent = "yes";
  });
}
// Django's picker of permissions names what has no role, which nothing reads.
addEventListener("load", () => {
  for (const icon of document.querySelectorAll(".search-label-icon")) icon.setAttribute("role", "img");
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-is-sent]")) delete form.dataset.isSent;
});
