"""The protocol's side: which tools a credential sees, and what becomes of a call."""

import asyncio
import logging
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
)

from audit.stream.queries import in_database
from core.database import DATABASE_AWAY, DETAIL
from core.problems import problem
from orchestrator.mcp.rest import agent_of
from orchestrator.mcp.results import result_of_error
from orchestrator.mcp.rounds import is_first_use, new_boundary, sent_to_the_card
from orchestrator.mcp.tasks import knows_tasks, serve_tasks, task_instead_of
from orchestrator.mcp.tools import TOOLS
from projects.credentials import note_refusal

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Ask here before you make a call that needs a person's approval: request_approval with the "
    "complete call, then wait_for_approval until it answers something other than pending. Make "
    "the call only where may_run is true, once, with the arguments that you are given, and report "
    "how it ended by report_outcome. Everything else means: not approved."
)


def new_manager() -> StreamableHTTPSessionManager:
    """Without sessions: each request may reach another web process."""
    return StreamableHTTPSessionManager(new_server(), stateless=True)


def new_server() -> Server:
    server = Server(
        "paraph",
        version=settings.VERSION,
        title="Paraph",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda name: TOOLS[name].description.input_schema,
    )
    server.middleware.append(new_boundary())
    serve_tasks(server)
    return server


async def list_tools(context: Any, params: Any) -> ListToolsResult:
    """Those that its scopes open."""
    scopes = agent_of(context).credential.scopes
    return ListToolsResult(
        tools=[tool.description for tool in TOOLS.values() if tool.scope in scopes]
    )


async def call_tool(
    context: Any, params: CallToolRequestParams
) -> CallToolResult | InputRequiredResult | dict[str, Any]:
    agent, state = agent_of(context), params.request_state
    if state is not None and not await asyncio.to_thread(is_first_use, state):
        detail = "Invalid or expired requestState"
        raise MCPError(INVALID_PARAMS, detail, {"reason": "invalid_request_state"})
    try:
        tool = TOOLS.get(params.name)
        if tool is None:
            await in_database(note_refusal, agent.credential, f"MCP tool {params.name[:100]}")
        else:
            arguments = params.arguments or {}
            if params.name == "wait_for_approval" and knows_tasks(context):
                return await task_instead_of(agent, arguments)
            result = await tool.call(agent, arguments)
            if params.name == "request_approval" and state is None:
                return sent_to_the_card(context, result) or result
            return result
    except DatabaseError as error:
        logger.warning("database away", extra={"path": "/mcp/", "error": repr(error)})
        return result_of_error(problem(503, DATABASE_AWAY, DETAIL))
    except Exception as error:
        # The package would tell the client what it says.
        logger.exception("a tool has failed", extra={"tool": params.name[:100]})
        detail = "An unexpected error; it is logged on the server."
        raise MCPError(INTERNAL_ERROR, detail) from error
    raise MCPError(
        INVALID_PARAMS,
        f"There is no tool {params.name[:100]}. A credential of an agent asks, works and reads; it "
        "never decides or manages.",
        {"code": "credential_cannot_decide"},
    )
