"""The types of artifacts: each is a module of `context/types`, with what is special about it."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from context.content_fields import TEXT_MAX_CHARACTERS
from core.registry import Registry

if TYPE_CHECKING:
    from context.parts.concepts import ConceptPart

Values = dict[str, Any]
# What people said: the brief, and their answers and comments by number.
Texts = Mapping[tuple[str, int], str]
TOO_LONG = {"string_too_long", "files_too_long"}


class ArtifactType:
    """What a content of the type looks like, and how it is shown and cut into parts."""

    schema: type[BaseModel]
    #: What a model writes, where that is easier for it than the schema: see `from_written`.
    written_schema: type[BaseModel] | None = None
    #: Agents never create it.
    comes_from_people = False
    #: Fields of Markdown, which have a section for each heading.
    markdown_fields: frozenset[str] = frozenset()
    #: The field with the files of a program, which have a section each.
    source_files_field = ""

    def from_written(self, content: Values, texts: Texts) -> Values:
        """A content of `schema`, from one of `written_schema`. Raises ContentError.

        `texts` are the words of people, by source and number.
        """
        return content

    def render(self, content: Values) -> list[str]:
        """The lines of a Markdown document. What a content has in common with others follows."""
        raise NotImplementedError

    def concepts(self, content: Values) -> Iterator["ConceptPart"]:
        """The requirements, decisions, questions, endpoints and entities that it names."""
        return iter(())

    def files(self, content: Values) -> dict[str, str]:
        """What it is made for, by relative path; beside its document, in an export."""
        return {}


artifact_types: Registry[ArtifactType] = Registry("artifact type", place="types")


def artifact_type_choices() -> list[tuple[str, str]]:
    return artifact_types.choices


def artifact_type(
    name: str, *, title: str, order: int = 100
) -> Callable[[type[ArtifactType]], type[ArtifactType]]:
    """Register a class as an artifact type. People read its `title`, in this `order`."""

    def register(type_class: type[ArtifactType]) -> type[ArtifactType]:
        artifact_types.register(name, type_class(), label=title, order=order)
        return type_class

    return register


class ContentError(ValueError):
    """Content that does not fit its type. `errors` are of the form {field, code, detail}.

    `limit` is the number of characters that a text is longer than, if nothing else is wrong.
    """

    def __init__(self, errors: list[dict[str, str]], limit: int | None = None) -> None:
        super().__init__("; ".join(f"{e['field'] or 'content'}: {e['detail']}" for e in errors[:5]))
        self.errors = errors
        self.limit = limit


def validate_content(artifact_type: str, content: Any) -> Values:
    """The content as JSON, with defaults filled in. Raises ContentError.

    Strictly, as its JSON Schema says: a text is no number, and "yes" is not true.
    """
    if artifact_type not in artifact_types:
        names = ", ".join(artifact_types.values)
        detail = f"Unknown artifact type {artifact_type!r}; use one of {names}."
        field = {"field": "artifact_type", "code": "unknown_artifact_type", "detail": detail}
        raise ContentError([field])
    schema = artifact_types[artifact_type].schema
    try:
        return schema.model_validate(content, strict=True).model_dump(mode="json")
    except ValidationError as error:
        items = error.errors()[:50]
        errors = [
            {
                "field": ".".join(str(part) for part in item["loc"]),
                "code": str(item["type"]),
                "detail": str(item["msg"]),
            }
            for item in items
        ]
        limits = [item.get("ctx", {}).get("max_length", 0) for item in items]
        is_only_long = all(item["type"] in TOO_LONG for item in items)
        is_stored_whole = min(limits) >= TEXT_MAX_CHARACTERS
        limit = limits[0] if is_only_long and is_stored_whole else None
        raise ContentError(errors, limit) from error
