"""An agent that brings the least that fits: "-" for each text. Put your own in its place."""


def work(assignment):
    for kind, schema in assignment["schemas"].items():
        yield {"artifact_type": kind, "title": kind, "content": least(schema, schema, "")}


def least(schema, root, name):
    if "$ref" in schema:
        return least(root["$defs"][schema["$ref"].split("/")[-1]], root, name)
    if kinds := schema.get("enum") or schema.get("anyOf"):
        return least(kinds[0], root, name) if "anyOf" in schema else kinds[0]
    if schema["type"] == "object":
        fields = schema.get("properties", {})
        return {key: least(fields[key], root, key) for key in schema.get("required", [])}
    if schema["type"] == "array":
        return [least(schema["items"], root, name)] * schema.get("minItems", 0)
    if schema["type"] == "string":
        pattern = schema.get("pattern", "-")
        return {"^[A-Z]": "R-1", "^[0-9a": "0" * 64}.get(pattern[:6], "-")
    return {"integer": max(schema.get("minimum", 0), int(name == "end")), "boolean": False}.get(
        schema["type"]
    )
