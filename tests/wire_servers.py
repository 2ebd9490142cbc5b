"""Local servers that speak the wire formats of other providers than OpenAI, for tests.

As `OpenAIServer`, each answers unasked with a valid instance of the schema that it was sent.
"""

import json
from typing import Any

from tests.openai_server import DELIVER, Answer, OpenAIServer


class AnthropicServer(OpenAIServer):
    """The Messages API."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = {"/v1/messages"}

    @property
    def base_url(self) -> str:
        return super().base_url.removesuffix("/v1")

    def valid(self, request: dict[str, Any]) -> Answer:
        tools = {tool["name"]: tool["input_schema"] for tool in request.get("tools", [])}
        content = [{"type": "text", "text": "ok"}]
        if name := _deliverable(tools):
            call = {"type": "tool_use", "id": "toolu_1", "name": name}
            content = [call | {"input": self.content(name, tools[name])}]
        body = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": request["model"],
            "content": content,
            "stop_reason": "tool_use" if name else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 60,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 0,
                "output_tokens": 20,
            },
        }
        return Answer(json.dumps(body).encode())


class GoogleServer(OpenAIServer):
    """The Gemini API's `generateContent`."""

    def __init__(self, model: str = "test-model") -> None:
        super().__init__()
        self.paths = {f"/v1beta/models/{model}:generateContent"}

    @property
    def base_url(self) -> str:
        return super().base_url.removesuffix("/v1")

    def valid(self, request: dict[str, Any]) -> Answer:
        tools = {
            function["name"]: function["parameters_json_schema"]
            for tool in request.get("tools", [])
            for function in tool["functionDeclarations"]
        }
        part: dict[str, Any] = {"text": "ok"}
        if name := _deliverable(tools):
            part = {"functionCall": {"name": name, "args": self.content(name, tools[name])}}
        body = {
            "candidates": [
                {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
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


def _deliverable(tools: dict[str, Any]) -> str:
    return next((name for name in tools if name.startswith(DELIVER)), "")
