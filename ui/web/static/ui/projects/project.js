// The project's page follows the project's events.

import { announce, askWaiting } from "../base.js";
import { followProject, freshen, soon } from "../live.js";
import { visible } from "../visible.js";

const { project, head } = document.body.dataset;
const state = document.getElementById("live-state");

// There is no message for the end of it: an event follows, or nothing more comes.
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
    const place = document.getElementById("live-state") ?? state;
    place.textContent = isLive ? "· live" : "· not live, connecting…";
  },
  (content) => {
    const doing = document.getElementById("doing");
    const writing = document.getElementById("writing");
    if (content.kind === "writing") {
      writing.hidden = false;
      writing.textContent = visible(`${content.call ?? ""} ${content.text.replaceAll("\\n", "\n")}`.trim());
    }
    const what = content.artifact_type.replaceAll("_", " ");
    const verb = content.kind === "partial_output" ? "has written" : "is writing";
    doing.textContent = `The ${content.agent_type} ${verb} ${what} (${content.number} of ${content.of})`;
    clearTimeout(forgetting);
    forgetting = setTimeout(() => {
      doing.replaceChildren();
      writing.hidden = true;
    }, SHOWN_MILLISECONDS);
  },
);
