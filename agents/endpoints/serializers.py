from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

from agents.models import ModelEndpoint
from agents.providers.endpoints import KINDS, OUTPUTS, TOOLS
from core.fields import TextField
from core.serializers import StrictSerializer

OUTPUT_HELP = (
    "How a model hands in its work: `tools` by calling a function, `schema` as JSON whose schema "
    "the server enforces, `text` as JSON that it is merely asked for."
)


def is_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


class AddressField(TextField):
    default_error_messages = {"address": "Use https://host/path, without a user and a query."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            url = urlsplit(text)
            is_plain = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        except ValueError:
            is_plain = False
        if text and not (is_plain and "@" not in url.netloc and not url.query and is_word(text)):
            self.fail("address")
        return text


class HeadersField(serializers.DictField):
    child = TextField(max_length=2000)
    default_error_messages = {"header": "Use names such as X-Team, and values of one line."}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        headers = super().to_internal_value(data)
        for name, value in headers.items():
            plain_name = name.replace("-", "").isalnum() and name.isascii()
            if not plain_name or not (value.isascii() and value.isprintable()):
                self.fail("header")
        return headers


class EndpointChange(StrictSerializer):
    """What is not sent stays. Key and headers can be written, never read again."""

    speaks = serializers.ChoiceField(choices=KINDS, required=False)
    base_url = AddressField(max_length=500, allow_blank=True, required=False)
    api_key = TextField(max_length=10_000, allow_blank=True, required=False, write_only=True)
    headers = HeadersField(required=False, write_only=True)
    output = serializers.ChoiceField(choices=OUTPUTS, required=False, help_text=OUTPUT_HELP)


class EndpointInput(EndpointChange):
    name = serializers.RegexField(
        r"^[a-z][a-z0-9-]{0,29}\Z",
        error_messages={"invalid": "Use small letters, digits and hyphens, at most 30."},
    )
    speaks = serializers.ChoiceField(choices=KINDS)
    output = serializers.ChoiceField(choices=OUTPUTS, default=TOOLS, help_text=OUTPUT_HELP)


class EndpointTest(StrictSerializer):
    model = TextField(max_length=200, help_text="As the endpoint names it, without its own name.")


class EndpointSerializer(serializers.ModelSerializer):
    """`tested_at` and the error are of the last test; null while it is under way."""

    class Meta:
        model = ModelEndpoint
        fields = (
            "name",
            "speaks",
            "base_url",
            "output",
            "has_key",
            "header_names",
            "created_at",
            "test_model",
            "test_asked_at",
            "tested_at",
            "test_error_code",
            "test_error_detail",
        )
        read_only_fields = fields
        extra_kwargs = {"header_names": {"help_text": "Their values cannot be read."}}
