"""A local HTTP server that speaks OpenAI's chat completions, for tests.

Unasked, it answers every request with a valid instance of the schema it was sent. A test may give
contents by artifact type, and say what becomes of the next requests.
"""

import itertools
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

DELIVER = "deliver_"
ASK = "ask_person"

PROGRAM = {
    "adding.py": "def add(first, second):\n    return first + second\n",
    "main.py": "from adding import add\n\nprint(add(2, 3))\n",
    "test_adding.py": (
        "import unittest\n\nfrom adding import add\n\n\n"
        "class AddingTest(unittest.TestCase):\n"
        "    def test_two_numbers_are_added(self):\n"
        "        self.assertEqual(add(2, 3), 5)\n"
    ),
}
SOURCE_CODE = {
    "title": "Adding",
    "summary": "A function that adds, and a test of it.",
    "files": [
        {"path": path, "content": text, "language": "python"} for path, text in PROGRAM.items()
    ],
    "entry_point": "main.py",
    "test_command": ["python3", "-m", "unittest"],
    "covered": [],
    "not_covered": [],
}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer as it goes over the wire."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Behaviour = Callable[["OpenAIServer", dict[str, Any]], Answer | None]


def refusal(status: int, *, code: str = "", message: str = "no", **headers: str) -> Behaviour:
    """An error of the API; header names with _ for -."""
    error = {"error": {"message": message, "type": "error", "param": None, "code": code or None}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda server, request: Answer(json.dumps(error).encode(), status, named)


def raw(body: bytes, content_type: str = "application/json") -> Behaviour:
    """A 200 with any body."""
    return lambda server, request: Answer(body, headers={"Content-Type": content_type})


def hang() -> Behaviour:
    """No answer until the server stops."""

    def wait(server: "OpenAIServer", request: dict[str, Any]) -> None:
        server.stopping.wait()

    return wait


def call(name: str, arguments: Any, **changes: Any) -> Behaviour:
    """A call of one function, whether it fits or not."""
    return calls((name, arguments), **changes)


def calls(*names_and_arguments: tuple[str, Any], **changes: Any) -> Behaviour:
    """Several in one answer, in whatever the server speaks."""
    return lambda server, request: server.several(request, *names_and_arguments, **changes)


def ask(*questions: str, reason: str = "") -> Behaviour:
    """The model wants to know something."""
    return call(ASK, {"questions": list(questions), "reason": reason})


class OpenAIServer:
    """`with OpenAIServer() as server:` serves at `server.base_url` until the block ends."""

    def __init__(self) -> None:
        self.contents: dict[str, Any] = {"source_code": SOURCE_CODE}
        self.paths = {"/v1/chat/completions", "/v1/embeddings"}
        self.embedding: Callable[[str], list[float]] = lambda text: [1.0, 0.0]
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.next: deque[Behaviour] = deque()
        self.stopping = threading.Event()
        self._http = _PatientServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def then(self, *behaviours: Behaviour) -> None:
        """What becomes of the next requests, in order; after that, valid answers again."""
        self.next.extend(behaviours)

    def answer(self, request: dict[str, Any]) -> Answer | None:
        """The answer to one request; None to hang up."""
        return self.next.popleft()(self, request) if self.next else self.valid(request)

    def valid(self, request: dict[str, Any]) -> Answer:
        """A call of the first deliverable with content that fits, or a word without any."""
        if "input" in request:
            return embeddings(request, [self.embedding(text) for text in request["input"]])
        schemas = self.schemas(request)
        name = next((name for name in schemas if name.startswith(DELIVER)), "")
        if not name:
            return self.words(request, "ok")
        content = self.content(name, schemas[name])
        content = content(request) if callable(content) else content
        if "files" in content and "files" not in schemas[name]["properties"]:
            # They go into the workspace first.
            if not self.has_spoken(request):
                written = [("write", _written(file)) for file in content["files"]]
                return self.several(request, *written)
            content = {key: value for key, value in content.items() if key != "files"}
        return self.several(request, (name, content))

    def content(self, name: str, schema: dict[str, Any]) -> Any:
        """What a test has put there for a deliverable, or what fits its schema."""
        content = self.contents.get(name.removeprefix(DELIVER))
        return instance_of(schema) if content is None else content

    # What differs from one wire format to another.

    def schemas(self, request: dict[str, Any]) -> dict[str, Any]:
        """Of the functions that may be called, by name."""
        functions = [tool["function"] for tool in request.get("tools") or ()]
        return {function["name"]: function["parameters"] for function in functions}

    def has_spoken(self, request: dict[str, Any]) -> bool:
        """The model, before this request."""
        return any(message["role"] == "assistant" for message in request["messages"])

    def told(self, request: dict[str, Any]) -> str:
        """What it is told since then: what its calls have brought, and our own words."""
        last: list[str] = []
        for message in request["messages"]:
            last = [] if message["role"] == "assistant" else [*last, str(message["content"])]
        return "\n".join(last)

    def several(
        self, request: dict[str, Any], *calls: tuple[str, Any], finish_reason: str = "tool_calls"
    ) -> Answer:
        """An answer that calls functions; each call of a conversation has another id."""
        turn = sum(message["role"] == "assistant" for message in request["messages"]) + 1
        tool_calls = []
        for number, (name, arguments) in enumerate(calls, start=1):
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            function = {"name": name, "arguments": text}
            call_id = f"call_{turn}" if number == 1 else f"call_{turn}_{number}"
            tool_calls.append({"id": call_id, "type": "function", "function": function})
        return reply(request, {"content": None, "tool_calls": tool_calls}, finish_reason)

    def words(self, request: dict[str, Any], text: str) -> Answer:
        """An answer without any call."""
        return reply(request, {"content": text}, "stop")

    def streamed(self, answer: Answer) -> Answer:
        """The same in pieces."""
        return streamed(answer)


class _PatientServer(ThreadingHTTPServer):
    # Of more connections that are made at once some would be refused.
    request_queue_size = 128


def _written(file: dict[str, Any]) -> dict[str, Any]:
    return {"path": file["path"], "content": file["content"]}


def reply(request: dict[str, Any], message: dict[str, Any], finish_reason: str) -> Answer:
    """A chat completion with this message."""
    said = {"role": "assistant"} | message
    choice = {"index": 0, "finish_reason": finish_reason, "message": said, "logprobs": None}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": request.get("model", ""),
        "choices": [choice],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
    return Answer(json.dumps(body).encode())


def streamed(answer: Answer, piece: int = 20) -> Answer:
    """The same chat completion as server-sent events, its arguments in pieces."""
    whole = json.loads(answer.body)
    choice = whole["choices"][0]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": choice["message"]["content"]}]
    for index, item in enumerate(choice["message"].get("tool_calls", ())):
        text = item["function"]["arguments"]
        begin = {"name": item["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [item | {"index": index, "function": begin}]})
        for start in range(0, len(text), piece):
            part = {"index": index, "function": {"arguments": text[start : start + piece]}}
            deltas.append({"tool_calls": [part]})
    chunk = {key: whole[key] for key in ("id", "created", "model")}
    chunk["object"] = "chat.completion.chunk"
    chunks = [chunk | {"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    chunks += [chunk | {"choices": [end]}, chunk | {"choices": [], "usage": whole["usage"]}]
    lines = [f"data: {json.dumps(item)}\n\n" for item in chunks]
    body = "".join([*lines, "data: [DONE]\n\n"]).encode()
    return Answer(body, headers={"Content-Type": "text/event-stream"})


def embeddings(request: dict[str, Any], vectors: list[list[float]]) -> Answer:
    """The vectors, one for each text."""
    data = [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(vectors)]
    usage = {"prompt_tokens": 10, "total_tokens": 10}
    body = {"object": "list", "model": request["model"], "data": data, "usage": usage}
    return Answer(json.dumps(body).encode())


def instance_of(schema: dict[str, Any]) -> Any:
    """The smallest value that a JSON Schema, as pydantic writes it, accepts."""
    return _Instances(schema).of(schema)


class _Instances:
    def __init__(self, root: dict[str, Any]) -> None:
        self.definitions = root.get("$defs", {})
        self.makers: dict[str, Callable[[dict[str, Any]], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": _string,
            "integer": _number,
            "number": _number,
            "boolean": lambda schema: False,
            "null": lambda schema: None,
        }

    def of(self, schema: dict[str, Any]) -> Any:
        if "$ref" in schema:
            return self.of(self.definitions[schema["$ref"].rpartition("/")[2]])
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if "enum" in schema:
            return schema["enum"][0]
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                return self.of(schema[key][0])
        kind = schema.get("type", "object")
        return self.makers[kind if isinstance(kind, str) else kind[0]](schema)

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        return {name: self.of(properties[name]) for name in schema.get("required", [])}

    def _array(self, schema: dict[str, Any]) -> list[Any]:
        return [self.of(schema["items"]) for _ in range(schema.get("minItems", 0))]


def _string(schema: dict[str, Any]) -> str:
    if "pattern" in schema:
        return _matching(re._parser.parse(schema["pattern"]))
    dates = {"date": "2025-01-01", "date-time": "2025-01-01T00:00:00Z"}
    text = dates.get(schema.get("format", ""), "made to order")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 10_000)]


def _number(schema: dict[str, Any]) -> int:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    return min(max(lowest, 1), schema.get("maximum", 10**6))


def _matching(parsed: Any) -> str:
    """A text for the plain patterns that ids, names and hashes have."""
    made = ""
    for operation, value in parsed:
        name = str(operation)
        if name == "LITERAL":
            made += chr(value)
        elif name == "IN":
            made += chr(value[0][1][0] if str(value[0][0]) == "RANGE" else value[0][1])
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            made += _matching(value[2]) * value[0]
        elif name == "SUBPATTERN":
            made += _matching(value[3])
        elif name == "BRANCH":
            made += _matching(value[1][0])
    return made


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    numbers = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path not in server.paths:
                self.send_error(404)
                return
            server.requests.append(json.loads(body))
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = server.answer(server.requests[-1])
            is_stream = server.requests[-1].get("stream") and answer and answer.status == 200
            self._send(server.streamed(answer) if is_stream else answer)

        def _send(self, answer: Answer | None) -> None:
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", **answer.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("x-request-id", f"req_{next(numbers)}")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    return Handler
