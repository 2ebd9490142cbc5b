"""What generated clients and readers of the API's description see: tags and path parameters."""

import re
from typing import Any

#: One for each kind of thing; the order is that of the documentation.
TAGS = {
    "projects": "From a brief to a product: state, progress, export, erasure.",
    "members": "Who belongs to a project, and in which role.",
    "groups": "Groups that are members of a project.",
    "invitations": "Invitations to a project by mail.",
    "delegations": "Who is away, and who decides for them.",
    "policy": "How a project decides: who, how many, by when.",
    "hitl": "Requests to people, their decisions and comments, and statistics.",
    "actions": "What agents that run elsewhere are about to do: asked, decided by people, claimed "
    "once, reported.",
    "standing-approvals": "Calls that people have approved ahead, within bounds.",
    "credentials": "Keys of agents that run elsewhere. They can never decide.",
    "work": "Tasks for agents that run elsewhere, by leases.",
    "tasks": "Pieces of work for agents.",
    "agents": "What each kind of agent does.",
    "agent-types": "The kinds of agents.",
    "emergency-stop": "Stops of all agents, of a project, or of a kind of agent.",
    "artifacts": "What the work produces, in versions.",
    "artifact-types": "What contents look like, by JSON Schema.",
    "search": "Search in all that one may see.",
    "workflows": "The steps from a brief to a product.",
    "model-endpoints": "Where models are served for a project.",
    "usage": "What the calls of models cost.",
    "audit": "The log: events, verification, signed checkpoints, proofs.",
    "stream": "Events as they happen.",
    "webhooks": "Events that are sent to others.",
    "notifications": "How people are told what waits for them.",
    "auth": "Tokens of people.",
}
# What the URL conf calls the one thing that a path is about.
SHORT_NAMES = {"id", "cid", "did", "wid", "rule"}
SHORT_PLACE = re.compile(r"([\w-]+)/\{(\w+)\}")


def name_things(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe the tags, and give each thing one name in all paths: `{project_id}`."""
    paths = {}
    for path, methods in result["paths"].items():
        names = {short: long_name(word) for word, short in SHORT_PLACE.findall(path)}
        names = {short: long for short, long in names.items() if short in SHORT_NAMES}
        for operation in methods.values():
            # Nothing said would mean that nothing is known.
            operation.setdefault("security", [])
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["name"] = names.get(parameter["name"], parameter["name"])
        for short, long in names.items():
            path = path.replace(f"{{{short}}}", f"{{{long}}}")
        paths[path] = methods
    result["paths"] = paths
    used = {tag for methods in paths.values() for op in methods.values() for tag in op["tags"]}
    names = [*(tag for tag in TAGS if tag in used), *sorted(used - set(TAGS))]
    result["tags"] = [
        {"name": name, "description": TAGS.get(name, f"Everything below `{name}/`.")}
        for name in names
    ]
    return result


def long_name(word: str) -> str:
    """`standing-approvals` -> `standing_approval_id`."""
    one = f"{word.removesuffix('ies')}y" if word.endswith("ies") else word.removesuffix("s")
    return one.replace("-", "_") + "_id"
