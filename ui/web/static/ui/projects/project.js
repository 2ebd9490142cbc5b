// The project's page follows the project's events, and shows what its agents write meanwhile.

import { announce, askWaiting } from "../base.js";
import { followProject, freshen, soon } from "../live.js";
import { visible } from "../visible.js";

const { project, head } = document.body.dataset;
const doing = document.getElementById("doing");
const writing = document.getElementById("writing");

// Of a worker that went away nothing more comes.
const SHOWN_MILLISECONDS = 60_000;
// After these an agent may still be writing.
const GOES_ON = new Set(["task_started", "task_progress", "tools_used"]);
const VERBS = { progress: "is writing", writing: "is writing", partial_output: "has written" };
let task = null;
let forgetting = null;

const refresh = soon(async () => {
  await freshen();
  await askWaiting().catch(() => {});
});

function forget() {
  task = null;
  doing.replaceChildren();
  writing.replaceChildren();
  writing.hidden = true;
}

function onEvent(event) {
  if (event.event_type === "hitl_request_created") announce(`New request: ${event.data.title}`);
  if (event.task === task && !GOES_ON.has(event.event_type)) forget();
  refresh();
}

function onEphemeral({ kind, task: of, agent_type: agent, artifact_type: type, text, ...content }) {
  if (of !== task) forget();
  task = of;
  const call = content.call && !content.call.startsWith("deliver_") ? `, calling ${content.call}` : "";
  doing.textContent = visible(
    `The ${agent} ${VERBS[kind] ?? "works on"} ${type.replaceAll("_", " ")} (${content.number} of ${content.of})${call}`,
  );
  if (text) {
    writing.textContent = visible(text.replaceAll("\\n", "\n"));
    writing.hidden = false;
    writing.scrollTop = writing.scrollHeight;
  }
  clearTimeout(forgetting);
  forgetting = setTimeout(forget, SHOWN_MILLISECONDS);
}

followProject(
  project,
  Number(head),
  onEvent,
  (isLive) => {
    document.getElementById("live-state").textContent = isLive ? "· live" : "· not live, connecting…";
  },
  onEphemeral,
);
