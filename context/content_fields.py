"""The kinds of value that artifact contents are made of: bounded, hashable, safe to store.

Contents are hashed as RFC 8785 JSON: no floats, integers within 2**53, no lone surrogates.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MAX_INTEGER = 2**53 - 1
TEXT_MAX_CHARACTERS = 400_000


def check_characters(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


def check_path(path: str) -> str:
    parts = path.split("/")
    if "\\" in path or re.match(r"[A-Za-z]:", path) or path.startswith(("/", "~")):
        raise ValueError("must be a relative path with forward slashes")
    if any(part in ("", ".", "..") or part != part.strip() for part in parts):
        raise ValueError("must not contain empty parts, '.', '..' or outer spaces")
    if not path.isprintable():
        raise ValueError("must contain printable characters only")
    return path


Stored = AfterValidator(check_characters)
Line = Annotated[str, StringConstraints(min_length=1, max_length=300), Stored]
OptionalLine = Annotated[str, StringConstraints(max_length=300), Stored]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000), Stored]
OptionalText = Annotated[str, StringConstraints(max_length=20_000), Stored]
LongText = Annotated[str, StringConstraints(max_length=TEXT_MAX_CHARACTERS), Stored]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RequirementId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,6}-[1-9][0-9]{0,3}$")]
FilePath = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Stored,
    AfterValidator(check_path),
]


class Content(BaseModel):
    """A piece of content: unknown fields are an error, never dropped in silence."""

    model_config = ConfigDict(extra="forbid")


class NotCovered(Content):
    """Something that was asked for and is not there."""

    requirement: RequirementId = Field(description="Id of the requirement that is not covered.")
    reason: Text = Field(description="Why it is not covered, in one or two sentences.")


class FeedbackNote(Content):
    """What a person asked to be changed, and what became of it."""

    comment: LongText = Field(description="The person's comment, word for word.")
    honoured: bool = Field(description="True only if this content really does what was asked.")
    response: Text = Field(description="What was changed, or why it could not be done.")


class Clarification(Content):
    """A question that was put to a person, with the answer."""

    questions: list[Text] = Field(max_length=20, description="What was asked.")
    answer: LongText = Field(description="The answer, word for word.")
    answered_by: OptionalLine = Field("", description="Who answered.")


def duplicates(values: list[str]) -> list[str]:
    """The values that occur more than once, in order."""
    seen: set[str] = set()
    return [value for value in values if value in seen or seen.add(value)]


Feedback = Annotated[
    list[FeedbackNote],
    Field(max_length=50, description="One note for each comment of a person on earlier rounds."),
]
Clarifications = Annotated[
    list[Clarification],
    Field(
        max_length=50, description="Questions that a person answered; part of what is asked for."
    ),
]
NotCoveredList = Annotated[
    list[NotCovered],
    Field(max_length=500, description="Requirements that are not covered, each with the reason."),
]
