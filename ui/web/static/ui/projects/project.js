// The project's page follows the project's events.

import { announce, askWaiting } from "../base.js";
import { followProject, freshen, soon } from "../live.js";

const { project, head } = document.body.dataset;
const state = document.getElementById("live-state");

// Nobody says when it is over; the events do, or nothing more comes.
const SHOWN_MILLISECONDS = 60_000;
let forgetting = null;

const refresh = soon(async () => {
  await freshen();
  await askWaiting().catch(() => {});
});

followProject(
  project,
  Number(head),
  (event) => {
    if (event.event_type === "hitl_request_created") announce(`New request: ${event.data.title}`);
    refresh();
  },
  (isLive) => {
    const shown = document.getElementById("live-state") ?? state;
    shown.textContent = isLive ? "· live" : "· not live, connecting…";
  },
  (content) => {
    const doing = document.getElementById("doing");
    const what = content.artifact_type.replaceAll("_", " ");
    const verb = content.kind === "progress" ? "writes" : "has written";
    doing.textContent = `The ${content.agent_type} ${verb} ${what} (${content.number} of ${content.of})`;
    clearTimeout(forgetting);
    forgetting = setTimeout(() => doing.replaceChildren(), SHOWN_MILLISECONDS);
  },
);
