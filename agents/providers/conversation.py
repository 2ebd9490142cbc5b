"""A conversation with tools, as pydantic-ai has it: what may be called, what was said so far."""

from dataclasses import replace
from typing import Any

from pydantic_ai import ExternalToolset, ModelRequest, ToolDefinition
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    ToolReturnPart,
    UserPromptPart,
)

from agents.protocols import Turn

# Within one call the model may correct an answer that does not fit this many times.
CORRECTIONS = 2


class _CorrectedTools(ExternalToolset):
    """Of a call whose arguments are no JSON the model is told at once."""

    async def get_tools(self, ctx: Any) -> dict[str, Any]:
        tools = await super().get_tools(ctx)
        return {name: replace(tool, max_retries=CORRECTIONS) for name, tool in tools.items()}


def toolsets_of(turn: Turn) -> list[ExternalToolset]:
    """The model may call them; what they bring comes with the next turn."""
    definitions = [
        ToolDefinition(
            name=tool.name, description=tool.description, parameters_json_schema=tool.parameters
        )
        for tool in turn.tools
    ]
    return [_CorrectedTools(definitions)]


def history_of(turn: Turn) -> list[ModelMessage]:
    """What was said so far, and as the last word what the calls have brought."""
    if not turn.messages:
        return []
    messages = ModelMessagesTypeAdapter.validate_json(turn.messages)
    answer = next(m for m in reversed(messages) if isinstance(m, ModelResponse))
    parts: list[Any] = [
        ToolReturnPart(call.tool_name, turn.results[call.tool_call_id], call.tool_call_id)
        for call in answer.tool_calls
        if call.tool_call_id in turn.results
    ]
    if turn.note:
        parts.append(UserPromptPart(turn.note))
    last = messages[-1]
    if isinstance(last, ModelRequest):
        messages[-1] = replace(last, parts=[*last.parts, *parts])
    else:
        messages.append(ModelRequest(parts=parts))
    return messages
