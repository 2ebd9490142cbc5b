"""With an approval: the form by which a person approves further calls, within bounds."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from core.errors import InvalidInput
from core.text import one_line
from hitl.agent_actions.standing_approvals import FOLLOW_UP_HOURS, FOLLOW_UP_MAX
from hitl.models import AgentAction
from ui.web.inbox.answer_form import LEFT_OUT, LinesField, NumberField
from ui.wording import counted

# Those after it stay just as they are in this call.
ARGUMENTS_MAX = 30
# More of a value than that is above, in the call.
SHOWN_MAX = 60
HOURS = (1, 2, 4, FOLLOW_UP_HOURS)
#: How far an argument may differ.
SAME, ANY, RANGE, LIST = "same", "any", "range", "list"
ANY_WORDS = {
    "string": "any text",
    "number": "any number",
    "boolean": "yes or no",
    "array": "any list",
    "object": "any object",
}


class FollowUpForm(forms.Form):
    """For each argument what it may be; the usual is just what it is in this call."""

    count = forms.IntegerField(
        label="How many more calls", min_value=1, max_value=FOLLOW_UP_MAX, initial=5
    )
    hours = forms.TypedChoiceField(
        label="For how long",
        coerce=int,
        choices=[(hours, counted(hours, "hour")) for hours in HOURS],
    )

    def __init__(self, action: AgentAction, data: Any = None) -> None:
        super().__init__(data, prefix="follow")
        self.arguments = json.loads(action.arguments)
        #: The arguments that may differ, by the number that their fields begin with.
        self.names = dict(enumerate(list(self.arguments)[:ARGUMENTS_MAX]))
        for number, name in self.names.items():
            value = self.arguments[name]
            text = one_line(json.dumps(value, ensure_ascii=False))
            text = text if len(text) <= SHOWN_MAX else "just what it is in this call"
            kind, choices = kind_of(value), [(SAME, f"only {text}")]
            if kind == "number":
                choices.append((RANGE, "from … to …"))
                for side in ("least", "most"):
                    label = f"{one_line(name)}, at {side}"
                    self.fields[f"{number}-{side}"] = NumberField(label=label, required=False)
            if kind == "string":
                choices.append((LIST, "this, or one of …"))
                label, lines = f"{one_line(name)}, other values", forms.Textarea({"rows": 2})
                field = LinesField(label=label, widget=lines, required=False)
                field.help_text = "one a line"
                self.fields[f"{number}-values"] = field
            if kind in ANY_WORDS:
                choices.append((ANY, ANY_WORDS[kind]))
            self.fields[f"{number}-may"] = forms.ChoiceField(
                label=one_line(name), choices=choices, initial=SAME
            )

    def rows(self) -> list[dict[str, Any]]:
        """The fields of each argument, for the page."""
        return [
            {
                "may": self[f"{number}-may"],
                "others": [
                    self[name]
                    for name in (f"{number}-least", f"{number}-most", f"{number}-values")
                    if name in self.fields
                ],
            }
            for number in self.names
        ]

    hours_most = FOLLOW_UP_HOURS

    @property
    def same_for_sure(self) -> int:
        return len(self.arguments) - len(self.names)

    def content(self) -> dict[str, Any]:
        """What goes with the approval. Raises InvalidInput that names each field at fault."""
        if not self.is_valid():
            errors = [
                {"field": name, "code": "invalid", "detail": text}
                for name, texts in self.errors.items()
                for text in texts
            ]
            raise InvalidInput(
                "invalid", "Nothing is approved yet: see what further calls may be.", errors=errors
            )
        values = self.cleaned_data
        bounds = {
            "type": "object",
            "properties": {name: self.bound_of(name) for name in self.arguments},
            "required": list(self.arguments),
            "additionalProperties": False,
        }
        follow_up = {"count": values["count"], "bounds": bounds}
        if values["hours"] < FOLLOW_UP_HOURS:
            until = timezone.now() + timedelta(hours=values["hours"])
            follow_up["until"] = until.isoformat()
        return {"follow_up": follow_up}

    def bound_of(self, name: str) -> dict[str, Any]:
        value = self.arguments[name]
        number = next((n for n, known in self.names.items() if known == name), None)
        may = SAME if number is None else self.cleaned_data[f"{number}-may"]
        match may:
            case "any":
                return {"type": kind_of(value)}
            case "range":
                least, most = (self.cleaned_data[f"{number}-{s}"] for s in ("least", "most"))
                ends = {"minimum": least, "maximum": most}
                return {"type": "number"} | {n: e for n, e in ends.items() if e is not LEFT_OUT}
            case "list":
                others = self.cleaned_data[f"{number}-values"]
                return {"enum": [value, *([] if others is LEFT_OUT else others)]}
        return {"const": value}

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        for number, name in self.names.items():
            if values.get(f"{number}-may") == RANGE:
                self._check_range(number, self.arguments[name])
        return values

    def _check_range(self, number: int, value: float) -> None:
        """This call is one of those: its own number lies between."""
        least, most = (self.cleaned_data.get(f"{number}-{side}") for side in ("least", "most"))
        if least in (None, LEFT_OUT) and most in (None, LEFT_OUT):
            self.add_error(f"{number}-may", "Write from where or up to where.")
        if isinstance(least, (int, float)) and value < least:
            self.add_error(f"{number}-least", f"This call has {value}: begin there or below.")
        if isinstance(most, (int, float)) and value > most:
            self.add_error(f"{number}-most", f"This call has {value}: end there or above.")


def kind_of(value: Any) -> str:
    """As JSON Schema names it."""
    if value is None:
        return "null"
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")
