// What is decided on, beside the list, where the window is large enough for it.

const WIDE = matchMedia("(min-width: 1180px)");
const DELAY = 150;
const pane = document.getElementById("preview");
let timer = null;
let wanted = "";

export function isPreviewed() {
  return !pane.hidden && WIDE.matches;
}

function mark(row) {
  for (const other of document.querySelectorAll("li.request[aria-current]")) {
    other.removeAttribute("aria-current");
  }
  row.setAttribute("aria-current", "true");
}

export async function preview(row) {
  mark(row);
  const link = row.querySelector("a[data-preview]");
  wanted = link.dataset.preview;
  if (!WIDE.matches) return;
  const answer = await fetch(wanted, { headers: { Accept: "text/html" } }).catch(() => null);
  // Only the newest counts.
  if (!answer?.ok || answer.redirected || link.dataset.preview !== wanted) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const body = page.querySelector(".preview-body");
  if (!body) return;
  pane.replaceChildren(body);
  pane.hidden = false;
  pane.scrollTop = 0;
  // The list may have been drawn before it changed.
  const shown = document.getElementById(row.id);
  const digest = shown?.querySelector(`input[name="digest-${body.dataset.request}"]`);
  if (digest?.value === body.dataset.digest) shown.dataset.read = "";
  dispatchEvent(new Event("previewed"));
}

export function previewFocused(place) {
  place.addEventListener("focusin", (event) => {
    const row = event.target.closest("li.request");
    if (!row || row.matches("[aria-current]")) return;
    mark(row);
    clearTimeout(timer);
    timer = setTimeout(() => preview(row), DELAY);
  });
}
