from rest_framework import serializers

from context.enums import ConceptKind, SectionKind
from context.models import Concept, Section


class VersionQuery(serializers.Serializer):
    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="The last one unless given."
    )


class SectionQuery(VersionQuery):
    kind = serializers.ChoiceField(choices=SectionKind.choices, required=False)
    path = serializers.CharField(max_length=500, required=False)


class ConceptQuery(VersionQuery):
    kind = serializers.ChoiceField(choices=ConceptKind.choices, required=False)
    identifier = serializers.CharField(max_length=200, required=False)


class PartSerializer(serializers.ModelSerializer):
    sha256 = serializers.CharField(source="body.sha256", read_only=True)
    tokens = serializers.IntegerField(
        source="body.tokens", read_only=True, help_text="An estimate for the text."
    )
    text = serializers.CharField(source="body.text", read_only=True)


class SectionSerializer(PartSerializer):
    """A section; `pointer` is the place in the content to which its text belongs."""

    class Meta:
        model = Section
        fields = ("position", "path", "title", "kind", "pointer", "sha256", "tokens", "text")
        read_only_fields = fields


class ConceptSerializer(PartSerializer):
    class Meta:
        model = Concept
        fields = ("position", "identifier", "kind", "title", "sha256", "tokens", "text")
        read_only_fields = fields
