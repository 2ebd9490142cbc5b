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

// Whatever changes in what waits for me, over all my projects.
export function followInbox(onNews, onState) {
  keepOpen("/ws/", ["countersign.events.v1"], {
    begin: (socket) => socket.send(JSON.stringify({ type: "connection_init" })),
    onFrame: (frame, socket) => {
      if (frame.type === "ping") socket.send(JSON.stringify({ type: "pong" }));
      else if (frame.type === "connection_ack") {
        socket.send(JSON.stringify({ type: "subscribe", id: "inbox", project: "inbox" }));
      } else if (frame.type === "subscribed" || frame.type === "caught_up") onState?.(true);
      else if (frame.type === "error") onState?.(false);
      else if (frame.id === "inbox") onNews(frame);
    },
    onState,
  });
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
