"""Local servers that speak the wire formats of other providers than OpenAI, for tests.

As `OpenAIServer`, each answers unasked with a valid instance of the schema that it was sent.
"""

import json
from typing import Any

from tests.openai_server import Answer, OpenAIServer, reply, streamed


class OllamaServer(OpenAIServer):
    """Ollama's chat completions: OpenAI's, with ids, fingerprint and empty texts of its own."""

    def several(
        self, request: dict[str, Any], *calls: tuple[str, Any], finish_reason: str = "tool_calls"
    ) -> Answer:
        answer = super().several(request, *calls, finish_reason=finish_reason)
        body = json.loads(answer.body) | {"system_fingerprint": "fp_ollama"}
        message = body["choices"][0]["message"] | {"content": "", "reasoning": "Hm."}
        for index, item in enumerate(message["tool_calls"]):
            item |= {"index": index, "id": f"call_o{len(self.requests)}x{index}"}
        body["choices"][0]["message"] = message
        return Answer(json.dumps(body).encode())

    def words(self, request: dict[str, Any], text: str) -> Answer:
        return reply(request, {"content": text, "reasoning": "Hm."}, "stop")

    def streamed(self, answer: Answer) -> Answer:
        """It sends each call in one piece."""
        return streamed(answer, piece=10**9)


class AnthropicServer(OpenAIServer):
    """The Messages API."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = {"/v1/messages"}

    @property
    def base_url(self) -> str:
        return super().base_url.removesuffix("/v1")

    def schemas(self, request: dict[str, Any]) -> dict[str, Any]:
        return {tool["name"]: tool["input_schema"] for tool in request.get("tools", ())}

    def told(self, request: dict[str, Any]) -> str:
        last = request["messages"][-1]["content"]
        blocks = last if isinstance(last, list) else [{"text": last}]
        return "\n".join(_text(block.get("content", block)) for block in blocks)

    def several(
        self, request: dict[str, Any], *calls: tuple[str, Any], finish_reason: str = "tool_use"
    ) -> Answer:
        turn = len(request["messages"])
        blocks = [
            {"type": "tool_use", "id": f"toolu_{turn}_{number}", "name": name, "input": arguments}
            for number, (name, arguments) in enumerate(calls)
        ]
        return self._message(request, blocks, finish_reason)

    def words(self, request: dict[str, Any], text: str) -> Answer:
        return self._message(request, [{"type": "text", "text": text}], "end_turn")

    def _message(
        self, request: dict[str, Any], content: list[dict[str, Any]], stop_reason: str
    ) -> Answer:
        body = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": request["model"],
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 60,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 0,
                "output_tokens": 20,
            },
        }
        return Answer(json.dumps(body).encode())

    def streamed(self, answer: Answer) -> Answer:
        whole = json.loads(answer.body)
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}}
        ]
        for index, block in enumerate(whole["content"]):
            place = {"index": index}
            is_call = block["type"] == "tool_use"
            empty = block | ({"input": {}} if is_call else {"text": ""})
            events.append({"type": "content_block_start", "content_block": empty} | place)
            text = json.dumps(block["input"]) if is_call else block["text"]
            for start in range(0, len(text), 20):
                piece = text[start : start + 20]
                delta = (
                    {"type": "input_json_delta", "partial_json": piece}
                    if is_call
                    else {"type": "text_delta", "text": piece}
                )
                events.append({"type": "content_block_delta", "delta": delta} | place)
            events.append({"type": "content_block_stop"} | place)
        end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        usage = {"output_tokens": whole["usage"]["output_tokens"]}
        events.append({"type": "message_delta", "delta": end, "usage": usage})
        events.append({"type": "message_stop"})
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
        return Answer("".join(lines).encode(), headers={"Content-Type": "text/event-stream"})


class GoogleServer(OpenAIServer):
    """The Gemini API's `generateContent`."""

    def __init__(self, model: str = "test-model") -> None:
        super().__init__()
        self.paths = {f"/v1beta/models/{model}:generateContent"}

    @property
    def base_url(self) -> str:
        return super().base_url.removesuffix("/v1")

    def schemas(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            function["name"]: function["parameters_json_schema"]
            for tool in request.get("tools", ())
            for function in tool["functionDeclarations"]
        }

    def has_spoken(self, request: dict[str, Any]) -> bool:
        return any(content["role"] == "model" for content in request["contents"])

    def told(self, request: dict[str, Any]) -> str:
        return json.dumps(request["contents"][-1]["parts"])

    def several(
        self, request: dict[str, Any], *calls: tuple[str, Any], finish_reason: str = "STOP"
    ) -> Answer:
        parts = [{"functionCall": {"name": name, "args": arguments}} for name, arguments in calls]
        return self._content(parts, finish_reason)

    def words(self, request: dict[str, Any], text: str) -> Answer:
        return self._content([{"text": text}], "STOP")

    def _content(self, parts: list[dict[str, Any]], finish_reason: str) -> Answer:
        body = {
            "candidates": [
                {
                    "content": {"role": "model", "parts": parts},
                    "finishReason": finish_reason,
                    "index": 0,
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 40,
                "candidatesTokenCount": 20,
                "totalTokenCount": 120,
            },
            "modelVersion": "test-model",
            "responseId": "r1",
        }
        return Answer(json.dumps(body).encode())


def _text(content: Any) -> str:
    """Of a block, of a result, or of the blocks that it has."""
    if isinstance(content, list):
        return "".join(map(_text, content))
    return content if isinstance(content, str) else content.get("text", "")
