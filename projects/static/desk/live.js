// News over the WebSocket. News only says "look again": what is shown always comes from the server's page.

const LONGEST_PAUSE = 30_000;
const REFUSED = new Set([4401, 4403, 4404]);

function socketUrl(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

// Keep a socket open. `begin(socket)` once it is open, `onFrame(frame, socket)` for each frame.
function keepOpen(path, protocols, { begin, onFrame, onState }) {
  let pause = 1_000;
  const open = () => {
    const socket = new WebSocket(socketUrl(typeof path === "function" ? path() : path), protocols);
    socket.addEventListener("open", () => begin?.(socket));
    socket.addEventListener("message", (message) => {
      pause = 1_000;
      onFrame(JSON.parse(message.data), socket);
    });
    socket.addEventListener("close", (event) => {
      onState?.(false);
      if (REFUSED.has(event.code)) return;
      setTimeout(open, pause * (1 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    });
  };
  open();
}

// A project's events after `head`, in order.
export function followProject(project, head, onEvent, onState) {
  let position = head;
  keepOpen(() => `/ws/projects/${project}/?after=${position}`, [], {
    onFrame: (frame, socket) => {
      if (frame.type === "subscribed" || frame.type === "caught_up") onState?.(true);
      if (frame.type === "ping") socket.send(JSON.stringify({ type: "pong" }));
      if (frame.type !== "event") return;
      position = frame.sequence;
      onEvent(frame.event);
    },
    onState,
  });
}

const REQUESTS = [
  "hitl_request_created",
  "hitl_request_resolved",
  "hitl_request_superseded",
  "hitl_request_expired",
];

// Whatever changes in the requests of many projects, over one socket. `heads`: project to sequence.
// The answer takes projects that came later.
export function followRequests(heads, onNews, onState) {
  const positions = new Map(Object.entries(heads));
  const subscribed = new Set();
  let current = null;
  const subscribe = () => {
    if (!current) return;
    for (const [project, after] of positions) {
      if (subscribed.has(project)) continue;
      subscribed.add(project);
      const wanted = { type: "subscribe", id: project, project, after, types: REQUESTS };
      current.send(JSON.stringify(wanted));
    }
  };
  keepOpen("/ws/", ["countersign.events.v1"], {
    begin: (socket) => socket.send(JSON.stringify({ type: "connection_init" })),
    onFrame: (frame, socket) => {
      if (frame.type === "ping") socket.send(JSON.stringify({ type: "pong" }));
      if (frame.type === "connection_ack") {
        current = socket;
        subscribe();
        onState?.(true);
      }
      if (frame.type !== "event") return;
      positions.set(frame.id, frame.sequence);
      onNews(frame.event);
    },
    onState: (isLive) => {
      current = null;
      subscribed.clear();
      onState?.(isLive);
    },
  });
  return (later) => {
    for (const [project, after] of Object.entries(later)) {
      if (!positions.has(project)) positions.set(project, after);
    }
    subscribe();
  };
}

// Run `work` soon after the last call, never twice at once, and again if called meanwhile.
export function soon(work, delay = 250) {
  let timer = null;
  let isRunning = false;
  let isWanted = false;
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
        timer ??= setTimeout(run, delay);
      }
    }
  };
  return () => {
    timer ??= setTimeout(run, delay);
  };
}

// Fetch this page again and put its live parts in the place of ours. Returns the fresh document, or null.
export async function freshen(before) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return null;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  before?.(fresh);
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!other || other.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...part.querySelectorAll("details[id][open]")].map((one) => one.id);
    part.replaceChildren(...other.childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus();
  }
  return fresh;
}
