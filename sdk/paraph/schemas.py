"""JSON Schemas of types, and values back: pydantic models, dataclasses and plain types."""

import dataclasses
import datetime
import decimal
import enum
import inspect
import types
import typing
import uuid
from typing import Any, Literal, Union, get_args, get_origin

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
TEXTS = {
    datetime.datetime: "date-time",
    datetime.date: "date",
    datetime.time: "time",
    uuid.UUID: "uuid",
    decimal.Decimal: "decimal",
}
#: The server takes schemas that are written out, and without patterns.
UNWANTED = {"pattern", "patternProperties"}


def is_pydantic(kind: Any) -> bool:
    return inspect.isclass(kind) and hasattr(kind, "model_json_schema")


def schema_of(kind: Any) -> dict[str, Any]:
    """Of a pydantic model, a dataclass, an enum, a plain type or a schema itself.

    Raises TypeError for what has none; of a type that is not known, anything is allowed.
    """
    if isinstance(kind, dict):
        return kind
    if is_pydantic(kind):
        schema = kind.model_json_schema()
        written: dict[str, Any] = _written_out(schema, schema.get("$defs", {}), ())
        return written
    return _schema(kind)


def _schema(kind: Any) -> dict[str, Any]:
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if kind in TEXTS:
        return {"type": "string", "format": TEXTS[kind]}
    if is_pydantic(kind):
        return schema_of(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        required = [
            field.name
            for field in fields
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        return {
            "type": "object",
            "title": getattr(kind, "__name__", ""),
            "properties": {field.name: _schema(hints[field.name]) for field in fields},
            "required": required,
            "additionalProperties": False,
        }
    if inspect.isclass(kind) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(argument) for argument in arguments]}
    if origin is typing.Annotated:
        return _schema(arguments[0])
    if origin in (list, set, frozenset) or (origin is tuple and arguments[-1] is ...):
        return {"type": "array", "items": _schema(arguments[0])}
    if kind in (list, tuple, set) or origin is tuple:
        return {"type": "array"}
    if kind is dict or origin is dict:
        values = _schema(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object"} | ({"additionalProperties": values} if values else {})
    return {}


def _written_out(value: Any, definitions: dict[str, Any], inside: tuple[str, ...]) -> Any:
    """Without `$ref`: each is replaced by what it names."""
    if isinstance(value, list):
        return [_written_out(part, definitions, inside) for part in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        if name in inside:
            raise TypeError(f"{name} holds itself: its schema cannot be written out")
        rest = {key: part for key, part in value.items() if key != "$ref"}
        return _written_out(definitions[name] | rest, definitions, (*inside, name))
    return {
        key: _written_out(part, definitions, inside)
        for key, part in value.items()
        if key != "$defs" and key not in UNWANTED
    }


def to_json(value: Any) -> Any:
    """What is shown, hashed and sent of a value. Raises TypeError for what has no such form."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return to_json(value.value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: to_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(part) for part in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def from_json(kind: Any, value: Any) -> Any:
    """A value of this type. Raises ValueError or TypeError where it is none."""
    if isinstance(kind, dict) or kind in (Any, inspect.Parameter.empty, None):
        return value
    if is_pydantic(kind):
        return kind.model_validate(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise TypeError(f"{kind.__name__} is made of an object, not of {value!r}")
        hints = typing.get_type_hints(kind)
        return kind(**{name: from_json(hints.get(name, Any), part) for name, part in value.items()})
    if inspect.isclass(kind) and issubclass(kind, enum.Enum | decimal.Decimal | uuid.UUID):
        return kind(value)
    if kind in (datetime.datetime, datetime.date, datetime.time):
        return kind.fromisoformat(value)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is typing.Annotated:
        return from_json(arguments[0], value)
    if origin in (Union, types.UnionType):
        return _from_union(arguments, value)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is none of {arguments}")
        return value
    if isinstance(value, list):
        if origin is tuple and arguments and arguments[-1] is not ...:
            return tuple(from_json(item, part) for item, part in zip(arguments, value, strict=True))
        if (made := origin or kind) in (list, tuple):
            item = arguments[0] if arguments else Any
            return made(from_json(item, part) for part in value)
    if isinstance(value, dict) and (origin or kind) is dict:
        part_kind = arguments[1] if len(arguments) == 2 else Any
        return {name: from_json(part_kind, part) for name, part in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if kind in PLAIN and (type(value) is not kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _from_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    problems = []
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return from_json(kind, value)
        except (TypeError, ValueError) as error:
            problems.append(str(error))
    raise ValueError("; ".join(problems) or f"{value!r} fits no type")


def like(example: Any, kind: Any, value: Any) -> Any:
    """A fresh value of JSON, made as the example was: of its class, or as its annotation says."""
    if hasattr(example, "model_dump") or isinstance(
        example,
        enum.Enum | decimal.Decimal | uuid.UUID | datetime.datetime | datetime.date | datetime.time,
    ):
        return from_json(type(example), value)
    if dataclasses.is_dataclass(example) and not isinstance(example, type):
        return from_json(type(example), value)
    if isinstance(example, list | tuple) and isinstance(value, list):
        if len(example) == len(value):
            parts = [like(old, Any, new) for old, new in zip(example, value, strict=True)]
        else:
            parts = value if kind is Any else list(from_json(kind, value))
        return tuple(parts) if isinstance(example, tuple) else parts
    if isinstance(example, dict) and isinstance(value, dict):
        return {name: like(example.get(name), Any, part) for name, part in value.items()}
    if isinstance(example, float) and type(value) is int:
        return float(value)
    if example is None and kind not in (Any, inspect.Parameter.empty):
        return from_json(kind, value)
    return value
