"""What a new project starts from: a brief by text, file or example, and a workflow."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from django import forms
from django.conf import settings

from orchestrator.engine.definition import (
    Definition,
    DefinitionError,
    available_definitions,
    load_definition,
)
from projects.enums import OversightLevel
from projects.models import BRIEF_MAX_LENGTH
from ui.web.artifacts.uploads import unix_lines
from ui.wording import OVERSIGHT

EXAMPLES = settings.BASE_DIR / "examples"
WITHOUT_STEPS = "No steps: a home for the actions of agents that run elsewhere."
# Of UTF-8 a character takes at most four bytes.
FILE_MAX_BYTES = 4 * BRIEF_MAX_LENGTH


@dataclass(frozen=True)
class WorkflowPicture:
    """The steps in columns: each stands to the right of all that it needs."""

    name: str
    title: str
    columns: list[list[dict[str, str]]]
    about: str


@dataclass(frozen=True)
class Example:
    key: str
    name: str
    brief: str


class NewProjectForm(forms.Form):
    """Shape only: what a project needs is up to `create_project`."""

    name = forms.CharField(
        label="Name", required=False, widget=forms.TextInput(attrs={"autofocus": True})
    )
    brief = forms.CharField(
        label="Brief",
        required=False,
        strip=False,
        help_text="What should be built, and for whom. Text or Markdown, up to 100,000 characters.",
        widget=forms.Textarea(attrs={"rows": 14}),
    )
    brief_file = forms.FileField(
        label="Or a file with the brief",
        required=False,
        help_text="Plain text or Markdown. It takes the place of what stands above.",
        widget=forms.ClearableFileInput(attrs={"accept": ".md,.txt,text/plain,text/markdown"}),
    )
    oversight_level = forms.ChoiceField(
        label="When should people be asked?",
        choices=[(level, f"{level.capitalize()}: {text}") for level, text in OVERSIGHT.items()],
        initial=OversightLevel.HIGH,
        widget=forms.RadioSelect,
    )
    workflow = forms.CharField(label="Workflow", initial="sdlc", required=False)
    auto_start = forms.BooleanField(label="Start right away", initial=True, required=False)

    def clean(self) -> dict[str, Any]:
        """The file's text as the brief."""
        fields = super().clean()
        fields["brief"] = unix_lines(fields.get("brief") or "")
        file = fields.get("brief_file")
        if file is None:
            return fields
        if file.size > FILE_MAX_BYTES:
            self.add_error("brief_file", f"Shorten it to at most {BRIEF_MAX_LENGTH:,} characters.")
            return fields
        try:
            fields["brief"] = file.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            self.add_error("brief_file", "This is not text in UTF-8. Save it as plain text.")
        return fields

    def project_fields(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "brief_file"}


@cache
def examples() -> Sequence[Example]:
    """The briefs that come with the product. The demo model plays a recording of each."""
    found = []
    for file in sorted(EXAMPLES.glob("*.md")):
        brief = file.read_text(encoding="utf-8")
        title = brief.partition("\n")[0].lstrip("# ").strip()
        found.append(Example(file.stem, title or file.stem, brief))
    return found


def example_named(key: str) -> dict[str, str]:
    """Name and brief for the form; nothing for an unknown key."""
    chosen = next((example for example in examples() if example.key == key), None)
    return {"name": chosen.name, "brief": chosen.brief} if chosen else {}


def workflow_pictures() -> list[WorkflowPicture]:
    pictures = []
    for name in available_definitions():
        # One of the installation's own may name what is gone: it cannot be chosen.
        with suppress(DefinitionError):
            pictures.append(picture_of(load_definition(name)))
    return sorted(pictures, key=lambda picture: not picture.columns)


def picture_of(definition: Definition) -> WorkflowPicture:
    columns: list[list[dict[str, str]]] = []
    places: dict[str, int] = {}
    for step_id in definition.order:
        step = definition.step(step_id)
        place = 1 + max((places[need] for need in step.needs), default=-1)
        places[step_id] = place
        columns += [[] for _ in range(place + 1 - len(columns))]
        gate = {"plan": "a person approves the plan", "result": "a person approves the result"}
        again = f"on failure again from {step.on_fail.rewind_to}" if step.on_fail else ""
        columns[place].append(
            {
                "title": step.title,
                "agent": step.agent,
                "gate": gate.get(step.gate, ""),
                "again": again,
            }
        )
    about = "" if definition.steps else WITHOUT_STEPS
    return WorkflowPicture(definition.name, definition.title, columns, about)
