"""A model for `with_claude_agent.py`, on a port of this machine: it calls a tool three times in one
batch, then says what came of it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOOL = "mcp__shop__refund"


def answer_to(body):
    results = [
        str(block["content"] if isinstance(block["content"], str) else block["content"][0]["text"])
        for message in body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    if results or not body.get("tools"):
        return [{"type": "text", "text": "; ".join(results) or "-"}]
    return [
        {
            "type": "tool_use",
            "id": f"toolu_{order}",
            "name": TOOL,
            "input": {"order": order, "amount": 10.0},
        }
        for order in ("1", "2", "3")
    ]


def events_of(body):
    blocks = answer_to(body)
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            start, delta = (
                {"type": "text", "text": ""},
                {"type": "text_delta"} | {"text": block["text"]},
            )
        else:
            start = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if blocks[0]["type"] == "tool_use" else "end_turn"
    stop = {"stop_reason": reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": usage}
    yield {"type": "message_stop"}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_count = "count_tokens" in self.path
        self.send_response(200)
        if is_count or not body.get("stream"):
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            usage = {"input_tokens": 1, "output_tokens": 1}
            message = {"id": "msg_1", "type": "message", "role": "assistant", "usage": usage}
            message |= {"model": body["model"], "stop_reason": "end_turn"}
            message |= {"content": [{"type": "text", "text": "-"}]}
            self.wfile.write(json.dumps({"input_tokens": 1} if is_count else message).encode())
            return
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events_of(body):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def do_GET(self):
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


def start():
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
