// News over the WebSocket. News only says "look again"; pages always come from the server.

import { EventStream } from "../audit/stream.js";

// A socket takes a hundred subscriptions.
const MOST_FOLLOWED = 100;

function openStream(onState) {
  return new EventStream({ onState: (state) => onState?.(state === "live") });
}

// A project's events after `head`, in order; `onEphemeral` gets what its agents show in passing.
export function followProject(project, head, onEvent, onState, onEphemeral) {
  openStream(onState).subscribe(project, { after: head, onEvent, onEphemeral });
}

const REQUESTS = [
  ...["created", "resolved", "superseded", "expired", "overdue", "escalated"],
  ...["claimed", "released", "reassigned"],
].map((what) => `hitl_request_${what}`).concat("hitl_decision_recorded", "hitl_comment_added");

// Whatever changes in the requests of many projects, over one socket. `heads`: project to sequence;
// `inbox` instead of a project is what waits for this person, in however many projects.
// The answer takes projects that came later.
export function followRequests(heads, onNews, onState) {
  const stream = openStream(onState);
  const followed = new Set();
  const follow = (projects) => {
    for (const [project, after] of Object.entries(projects)) {
      if (followed.has(project) || followed.size === MOST_FOLLOWED) continue;
      followed.add(project);
      stream.subscribe(project, { after, types: REQUESTS, onEvent: onNews, onInbox: onNews });
    }
  };
  follow(heads);
  return follow;
}

// Nobody looks; the count in the title may be a little late.
const HIDDEN_DELAY = 2000;

// Run `work` soon after the last call, never twice at once, and again if called meanwhile.
export function soon(work, delay = 250) {
  let timer = null;
  let isRunning = false;
  let isWanted = false;
  const wait = () => {
    timer ??= setTimeout(run, document.hidden ? Math.max(delay, HIDDEN_DELAY) : delay);
  };
  const run = async () => {
    timer = null;
    if (isRunning) {
      isWanted = true;
      return;
    }
    isRunning = true;
    try {
      await work();
    } finally {
      isRunning = false;
      if (isWanted) {
        isWanted = false;
        wait();
      }
    }
  };
  return wait;
}

// Fetch this page again and put its live parts in the place of ours. Returns the fresh document, or null.
export async function freshen(before, page = location.href) {
  const answer = await fetch(page, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return null;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  before?.(fresh);
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!other || other.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...part.querySelectorAll("details[id][open]")].map((details) => details.id);
    part.replaceChildren(...other.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus();
  }
  return fresh;
}
