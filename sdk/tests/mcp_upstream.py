"""An MCP server of the standard library alone, which notes each call as it came."""

import json
import os
import sys

TOOLS = [
    {"name": "look", "inputSchema": {"type": "object"}},
    {
        "name": "refund",
        "description": "Pay it back.",
        "inputSchema": {"type": "object"},
        "annotations": {"destructiveHint": True},
    },
    *(
        {"name": name, "inputSchema": {"type": "object"}}
        for name in ("boom", "die", "consult", "later")
    ),
]


def answer(params: dict) -> dict:
    name, arguments = params["name"], params.get("arguments", {})
    match name:
        case "boom":
            return {"content": [{"type": "text", "text": "no money"}], "isError": True}
        case "die":
            os._exit(3)
        case "later":
            return {"resultType": "task", "taskId": "t1", "status": "working"}
        case "consult" if "requestState" not in params:
            requests = {"size": {"method": "elicitation/create", "params": {"message": "Size?"}}}
            result = {"resultType": "input_required", "inputRequests": requests}
            return result | {"requestState": "of-the-server"}
    text = json.dumps(arguments)
    return {"content": [{"type": "text", "text": text}], "structuredContent": {"did": name}}


for line in sys.stdin.buffer:
    message = json.loads(line)
    result: dict = {}
    if message.get("method") == "tools/list":
        result = {"tools": TOOLS}
    if message.get("method") == "tools/call":
        with open(sys.argv[1], "ab") as log:
            log.write(line)
        result = answer(message["params"])
    if "id" in message and "method" in message:
        reply = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        print(json.dumps(reply), flush=True)
