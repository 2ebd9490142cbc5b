"""Add, list, find, change and remove records of any kind."""

from __future__ import annotations

from .model import ENTITIES
from .records import Entity, Problem
from .store import Store


def add(store: Store, entity: Entity, texts: dict[str, str]) -> dict:
    """Check and insert a new record. Raises Problem."""
    if entity.most is not None and len(store.rows(entity.name)) >= entity.most:
        raise Problem(f"there may be at most {entity.most} {entity.plural}")
    values = {field.name: field.read(texts.get(field.name) or "") for field in entity.fields}
    _check(store, entity, values, but=None)
    return store.insert(entity.name, values)


def change(store: Store, entity: Entity, number: int, texts: dict[str, str]) -> dict:
    """Change the given fields of a record. Raises Problem."""
    row = store.get(entity.name, number)
    values = {
        field.name: field.read(texts[field.name])
        for field in entity.fields
        if texts.get(field.name) is not None
    }
    if not values:
        raise Problem("nothing to change: give at least one field")
    _check(store, entity, values, but=number)
    row.update(values)
    return row


def remove(store: Store, entity: Entity, number: int) -> dict:
    """Remove a record that nothing open refers to. Raises Problem."""
    row = store.get(entity.name, number)
    for other in ENTITIES:
        for field in other.fields:
            if field.refers_to == entity.name and _in_use(store, other, field.name, number):
                raise Problem(f"{entity.label(row)} is in use by a {other.name}")
    store.rows(entity.name).remove(row)
    return row


def listed(store: Store, entity: Entity, *, sort: str = "", words: str = "") -> list[dict]:
    """Records that contain the words in any field, in the order asked for."""
    found = [row for row in store.rows(entity.name) if _contains(entity, row, words)]
    field = entity.field(sort)
    if field is None:
        return found
    return sorted(found, key=lambda row: sort_key(field.kind, row.get(field.name, "")))


def matching(store: Store, entity: Entity, wanted: dict[str, str]) -> list[dict]:
    """Records whose fields contain the wanted words."""
    return [
        row
        for row in store.rows(entity.name)
        if all(text.lower() in str(row.get(name, "")).lower() for name, text in wanted.items())
    ]


def sort_key(kind: str, value: str) -> tuple:
    """Empty values last, numbers by size, the rest by letter."""
    if value == "":
        return (2, 0, "")
    if kind in ("integer", "decimal", "reference"):
        return (0, float(value), "")
    return (1, 0, value.lower())


def _contains(entity: Entity, row: dict, words: str) -> bool:
    return any(words.lower() in str(row.get(field.name, "")).lower() for field in entity.fields)


def _check(store: Store, entity: Entity, values: dict, *, but: int | None) -> None:
    for field in entity.fields:
        value = values.get(field.name)
        if not value:
            continue
        if field.unique and _taken(store, entity, field.name, value, but):
            raise Problem(f"there is already a {entity.name} with {field.name} {value}")
        if field.refers_to:
            store.get(field.refers_to, int(value))


def _taken(store: Store, entity: Entity, name: str, value: str, but: int | None) -> bool:
    return any(
        str(row.get(name, "")).lower() == value.lower() and row["id"] != but
        for row in store.rows(entity.name)
    )


def _in_use(store: Store, other: Entity, name: str, number: int) -> bool:
    return any(
        row.get(name) == str(number) and not row.get("closed_on") for row in store.rows(other.name)
    )
