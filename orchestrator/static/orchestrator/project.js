// The project's page follows the project's events.

import { announce, askWaiting } from "../desk/desk.js";
import { followProject, freshen, soon } from "../desk/live.js";

const { project, head } = document.body.dataset;
const state = document.getElementById("live-state");

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
);
