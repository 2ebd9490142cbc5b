/**
 * The news of a project, or of several: connects, resumes where it was, says how the connection is.
 *
 *   import { EventStream } from "/static/audit/stream.js";
 *   const stream = new EventStream({ onState: (state) => show(state) });
 *   const end = stream.subscribe(projectId, { after: snapshot.sequence, epoch: snapshot.epoch,
 *     onEvent: (event) => apply(event), onReset: () => reload() });
 *
 * `subscribe("inbox", { onInbox: (items) => show(items) })`: what waits for me, whole, at each change.
 * Events come in order, each once; nothing is reordered or kept here. The session's cookie logs in;
 * a page of another origin passes `ticket`, a function that gets a fresh one for each connection.
 */

const SUBPROTOCOL = "paraph.events.v1";
const FINAL = new Set([4400, 4401, 4403, 4404, 4406]);
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;
const ACKNOWLEDGE_EVERY = 50;

export class EventStream {
  #url;
  #ticket;
  #onState;
  #socket = null;
  #subscriptions = new Map();
  #failures = 0;
  #numbered = 0;
  #timer = null;
  #silence = null;
  #heartbeat = 20;
  #isReady = false;
  #isClosed = false;

  /** States: `connecting`, `live`, `waiting` (with milliseconds), `ended` (with the close code). */
  constructor({ url, ticket, onState } = {}) {
    this.#url = url ?? `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/`;
    this.#ticket = ticket;
    this.#onState = onState ?? (() => {});
  }

  /** Returns a function that ends the subscription. `after` is the last sequence that is known. */
  subscribe(project, { after = 0, epoch, types, window = 500, ...handlers } = {}) {
    const id = String(++this.#numbered);
    const subscription = { id, project, after, epoch, types, window, handlers, unacknowledged: 0 };
    this.#subscriptions.set(id, subscription);
    if (this.#isReady) this.#begin(subscription);
    else if (this.#socket === null && this.#timer === null) this.#connect();
    return () => {
      if (this.#subscriptions.delete(id)) this.#say({ type: "complete", id });
    };
  }

  close() {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#socket?.close(1000);
  }

  async #connect() {
    this.#timer = null;
    if (this.#isClosed) return;
    this.#onState("connecting");
    const init = { type: "connection_init" };
    try {
      if (this.#ticket) init.ticket = await this.#ticket();
    } catch {
      return this.#comeBack();
    }
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = () => this.#say(init);
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ code }) => this.#lost(socket, code);
    this.#listenForSilence();
  }

  #say(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #begin({ id, project, after, epoch, types, window }) {
    this.#say({ type: "subscribe", id, project, after, epoch, types, window });
  }

  #hear(frame) {
    this.#listenForSilence();
    if (frame.type === "ping") return this.#say({ type: "pong" });
    if (frame.type === "connection_ack") return this.#ready(frame);
    const subscription = this.#subscriptions.get(frame.id);
    if (subscription) this.#pass(frame, subscription);
  }

  #ready({ heartbeat_seconds: seconds }) {
    this.#heartbeat = seconds;
    this.#isReady = true;
    this.#failures = 0;
    for (const subscription of this.#subscriptions.values()) this.#begin(subscription);
    this.#onState("live");
  }

  #pass(frame, subscription) {
    const { handlers } = subscription;
    switch (frame.type) {
      case "subscribed":
        Object.assign(subscription, { epoch: frame.epoch, after: frame.from, unacknowledged: 0 });
        break;
      case "event":
        subscription.after = frame.sequence;
        handlers.onEvent?.(frame.event, frame);
        this.#acknowledge(subscription);
        break;
      case "caught_up":
        subscription.after = frame.sequence;
        handlers.onCaughtUp?.(frame.sequence);
        break;
      case "reset":
        handlers.onReset?.(frame);
        break;
      case "inbox":
        handlers.onInbox?.(frame.items);
        break;
      case "ephemeral":
        handlers.onEphemeral?.(frame.content);
        break;
      case "error":
      case "complete":
        this.#subscriptions.delete(frame.id);
        handlers.onEnd?.(frame);
    }
  }

  #acknowledge(subscription) {
    const { id, after, window } = subscription;
    subscription.unacknowledged += 1;
    if (subscription.unacknowledged < Math.min(ACKNOWLEDGE_EVERY, window)) return;
    subscription.unacknowledged = 0;
    this.#say({ type: "ack", id, sequence: after });
  }

  /** A connection that is dead without a close says nothing, not even a ping. */
  #listenForSilence() {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#silence = setTimeout(() => {
      socket.close();
      this.#lost(socket, 1006);
    }, this.#heartbeat * 2000);
  }

  #lost(socket, code) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#silence);
    this.#socket = null;
    this.#isReady = false;
    if (this.#isClosed || FINAL.has(code)) this.#onState("ended", code);
    else this.#comeBack();
  }

  /** Full jitter: those who lost the same server do not come back at once. */
  #comeBack() {
    const pause = Math.random() * Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures);
    this.#failures += 1;
    this.#onState("waiting", pause);
    this.#timer = setTimeout(() => this.#connect(), pause);
  }
}
