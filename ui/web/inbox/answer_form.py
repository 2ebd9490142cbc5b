"""What a person answers an agent: a form made of the JSON Schema that the agent has sent."""

import json
from collections.abc import Iterator
from typing import Any

from django import forms

from core.errors import DomainError, InvalidInput
from core.text import one_line, visible
from hitl.agent_actions.digests import parse_exactly

# More than that nobody fills in; the whole is written as JSON then.
FIELDS_MAX = 60
DEPTH_MAX = 4
# Shorter texts have one line.
LINE_MAX = 120
RADIOS_MAX = 6
LEFT_OUT = object()
NULL = {"type": "null"}


def parse_content(text: str, *, is_exact: bool = False) -> Any:
    """Raises InvalidInput that names the line.

    `is_exact`: also Unprocessable, for what would not be kept just as it was written.
    """
    if not text.strip():
        return None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        detail = f"This is not valid JSON: {error.msg} ({place})."
        raise InvalidInput.of("content", "invalid_json", detail) from error
    except RecursionError as error:
        detail = "This is nested too deeply."
        raise InvalidInput.of("content", "invalid_json", detail) from error
    except ValueError as error:
        raise InvalidInput.of("content", "invalid_json", f"This is not JSON: {error}.") from error
    return parse_exactly(text.encode(errors="surrogatepass")) if is_exact else content


class JSONTextField(forms.CharField):
    """Exactly what was written."""

    complaint = ""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return LEFT_OUT
        try:
            return parse_content(text, is_exact=True)
        except DomainError as error:
            raise forms.ValidationError(self.complaint or error.detail) from error


class NumberField(JSONTextField):
    widget = forms.NumberInput(attrs={"step": "any"})
    complaint = "Write a number, as 12 or 12.5."

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        if number is not LEFT_OUT and type(number) not in (int, float):
            raise forms.ValidationError(self.complaint)
        return number


class TextField(forms.CharField):
    def clean(self, value: Any) -> Any:
        return super().clean(value) or LEFT_OUT


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in super().clean(value).splitlines() if line.strip()]
        return lines or LEFT_OUT


class OneOfField(forms.ChoiceField):
    """One of some values of JSON."""

    def __init__(self, values: list[Any], labels: list[str], **options: Any) -> None:
        self.values = {str(number): value for number, value in enumerate(values)}
        choices = list(zip(self.values, labels, strict=True))
        widget: Any = forms.RadioSelect
        if len(choices) > RADIOS_MAX or not options.get("required"):
            widget, choices = forms.Select, [("", ""), *choices]
        super().__init__(choices=choices, widget=widget, **options)

    def clean(self, value: Any) -> Any:
        return self.values.get(super().clean(value), LEFT_OUT)


class SomeOfField(forms.MultipleChoiceField):
    widget = forms.CheckboxSelectMultiple

    def __init__(self, values: list[Any], labels: list[str], **options: Any) -> None:
        self.values = {str(number): value for number, value in enumerate(values)}
        super().__init__(choices=list(zip(self.values, labels, strict=True)), **options)

    def clean(self, value: Any) -> Any:
        return [self.values[chosen] for chosen in super().clean(value)] or LEFT_OUT


class AnswerForm(forms.Form):
    """A field for each value that the schema names. What no kind of field fits is JSON."""

    def __init__(self, schema: dict[str, Any], data: Any = None) -> None:
        super().__init__(data, prefix="answer")
        #: Where the value of each field stands in the answer.
        self.paths: dict[str, tuple[str, ...]] = {}
        #: What stands there where nothing was written.
        self.empty: dict[str, Any] = {}
        places = list(leaves(schema))
        if len(places) > FIELDS_MAX:
            places = [((), {}, True)]
        for number, (path, part, is_required) in enumerate(places):
            name, (part, is_nullable) = str(number), without_null(part)
            self.paths[name] = path
            self.empty[name] = None if is_nullable and is_required else LEFT_OUT
            field = self.fields[name] = field_of(part, is_required and not is_nullable)
            field.label = " › ".join(one_line(key) for key in path) or "Your answer"
            field.help_text = hint_of(part, path)
            if type(field) is JSONTextField:
                field.label += " (as JSON)"
        self.fields["0"].widget.attrs["data-focus"] = "w"

    def content(self) -> Any:
        """Raises InvalidInput that names each field at fault."""
        if not self.is_valid():
            errors = [
                {"field": self.place_of(name), "code": "invalid", "detail": text}
                for name, texts in self.errors.items()
                for text in texts
            ]
            raise InvalidInput("invalid", "The answer is not complete yet.", errors=errors)
        answer: dict[str, Any] = {}
        for name, path in self.paths.items():
            value = self.cleaned_data[name]
            value = self.empty[name] if value is LEFT_OUT else value
            if not path:
                return None if value is LEFT_OUT else value
            if value is LEFT_OUT:
                continue
            place = answer
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = value
        return answer

    def place_of(self, name: str) -> str:
        return ".".join(("content", *self.paths[name]))

    def show(self, error: DomainError) -> None:
        """What the service found, at the fields that it is about."""
        fields = {self.place_of(name): name for name in self.fields}
        for reason in error.errors or ():
            name = fields.get(reason["field"])
            if name and name not in self.errors:
                self.add_error(name, reason["detail"])


def leaves(
    schema: dict[str, Any], path: tuple[str, ...] = (), is_required: bool = True
) -> Iterator[tuple[tuple[str, ...], dict[str, Any], bool]]:
    """Each value that is asked for: where it stands, its schema, and whether it must be there."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    is_named = schema.get("type") == "object" and properties and set(required) <= properties.keys()
    if not is_named or len(path) >= DEPTH_MAX:
        yield path, schema, is_required
        return
    # What must be there comes first: the order of properties is not kept.
    for name in dict.fromkeys([*required, *properties]):
        part = properties[name] if isinstance(properties[name], dict) else {}
        yield from leaves(part, (*path, name), is_required and name in required)


def field_of(schema: dict[str, Any], is_required: bool) -> forms.Field:
    options = {"required": is_required}
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values:
        return OneOfField(values, labels_of(values), **options)
    items = schema.get("items")
    match schema.get("type"):
        case "boolean":
            return OneOfField([True, False], ["Yes", "No"], **options)
        case "number" | "integer":
            return NumberField(**options)
        case "string" if schema.get("maxLength", LINE_MAX + 1) <= LINE_MAX:
            return TextField(**options)
        case "string" if schema.get("format") == "date":
            return TextField(widget=forms.DateInput(attrs={"type": "date"}), **options)
        case "string":
            return TextField(widget=forms.Textarea(attrs={"rows": 3}), **options)
        case "array" if isinstance(items, dict) and items.get("enum"):
            return SomeOfField(items["enum"], labels_of(items["enum"]), **options)
        case "array" if isinstance(items, dict) and items.get("type") == "string":
            return LinesField(
                widget=forms.Textarea(attrs={"rows": 3, "placeholder": "one a line"}), **options
            )
    code = {"rows": 6, "class": "code", "spellcheck": "false"}
    return JSONTextField(widget=forms.Textarea(attrs=code), **options)


def without_null(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """As `str | None` is written: `anyOf`, or a list of types."""
    kinds, either = schema.get("type"), schema.get("anyOf")
    if isinstance(kinds, list) and len(kinds) == 2 and "null" in kinds:
        return schema | {"type": next(kind for kind in kinds if kind != "null")}, True
    if isinstance(either, list) and len(either) == 2 and NULL in either:
        return schema | next(part for part in either if part != NULL), True
    return schema, False


def hint_of(schema: dict[str, Any], path: tuple[str, ...]) -> str:
    """What the agent says of it, unless that is its name again."""
    title, name = schema.get("title", ""), path[-1] if path else ""
    is_name = title.casefold().replace(" ", "_") == name.casefold().replace(" ", "_")
    return ". ".join(visible(t) for t in ("" if is_name else title, schema.get("description")) if t)


def labels_of(values: list[Any]) -> list[str]:
    texts = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return [visible(text) for text in texts]
