"""The REST form of artifacts, their parts, differences and lineage."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from context.artifact_types import artifact_type_choices
from context.enums import (
    Change,
    ConceptKind,
    DerivationKind,
    Form,
    Granularity,
    Need,
    SectionKind,
    VersionStatus,
)
from context.lineage import DEPTH_MAX
from context.models import Artifact, ArtifactVersion, Concept, ContextBuild, Section
from context.rendering import render_markdown
from core.fields import ContentField, IdField, KindField, NumberField, TextField
from core.serializers import StrictSerializer


class ArtifactTypeSerializer(serializers.Serializer):
    artifact_type = KindField(choices=artifact_type_choices)
    description = serializers.CharField()
    max_bytes = serializers.IntegerField(help_text="Of the content as canonical JSON; else 413.")
    schema = serializers.DictField(help_text="JSON Schema, draft 2020-12.")


class ArtifactTypesSerializer(serializers.Serializer):
    """As a list is, and all on one page."""

    count = serializers.IntegerField()
    count_is_exact = serializers.BooleanField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ArtifactTypeSerializer(many=True)


class ArtifactInput(StrictSerializer):
    """`content` must fit the schema of its type."""

    project = IdField()
    artifact_type = KindField(choices=artifact_type_choices)
    title = TextField(max_length=300)
    content = ContentField()
    granularity = serializers.ChoiceField(
        choices=Granularity.choices,
        default=Granularity.DOCUMENT,
        help_text="A document is split at its headings; a section or concept on its own is not.",
    )


class UploadInput(StrictSerializer):
    """A text file of a person. Its title is the file's name unless given."""

    project = IdField()
    file = serializers.FileField()
    title = TextField(max_length=300, required=False)


class VersionInput(StrictSerializer):
    """`base_version`: the version that was read; refused with 409 if there is a newer one."""

    content = ContentField()
    base_version = NumberField(min_value=1, required=False)
    comment = TextField(max_length=10_000, allow_blank=True, default="")


class ClaimsSerializer(serializers.Serializer):
    """What another installation says of an imported version. Nobody here can vouch for it."""

    version = serializers.CharField(allow_blank=True)
    status = serializers.CharField()
    made_by = serializers.CharField(help_text="An agent type, or `person`.")
    provider = serializers.CharField(allow_blank=True)
    model = serializers.CharField(allow_blank=True)
    is_verified = serializers.BooleanField(
        help_text="Whether a signed checkpoint of that installation vouches for its log."
    )


IMPORTED = "Null for what was made here."


class VersionSerializer(serializers.ModelSerializer):
    """One version, without its content."""

    version = serializers.IntegerField(source="number", read_only=True)
    author_username = serializers.CharField(
        source="author.username", allow_null=True, default=None, read_only=True
    )
    imported = ClaimsSerializer(
        source="claims", allow_null=True, read_only=True, help_text=IMPORTED
    )

    class Meta:
        model = ArtifactVersion
        fields = (
            "artifact",
            "version",
            "sha256",
            "status",
            "source_agent",
            "author",
            "author_username",
            "task",
            "attempt",
            "provider",
            "model",
            "prompt_sha256",
            "decision",
            "comment",
            "imported",
            "created_at",
        )
        read_only_fields = fields


IS_INTACT = "False: the content no longer has the `sha256` under which it was stored."


class IntactFields(serializers.Serializer):
    """The content of a version, unless it was changed past the product."""

    is_intact = serializers.SerializerMethodField(help_text=IS_INTACT)
    content = serializers.DictField(
        source="shown_content",
        read_only=True,
        allow_null=True,
        help_text="Null where it is not intact.",
    )

    def get_is_intact(self, version: ArtifactVersion) -> bool:
        return version.difference is None


class VersionDetailSerializer(IntactFields, VersionSerializer):
    class Meta(VersionSerializer.Meta):
        fields = (*VersionSerializer.Meta.fields, "is_intact", "content")
        read_only_fields = fields


class StaleReasonSerializer(serializers.Serializer):
    """A source of which version `used` was used, while `accepted` is what counts now."""

    artifact = serializers.UUIDField()
    title = serializers.CharField()
    used = serializers.IntegerField()
    accepted = serializers.IntegerField()


class ArtifactSerializer(serializers.ModelSerializer):
    """An artifact and what is known of its last version."""

    sha256 = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    provider = serializers.SerializerMethodField(
        help_text="Of the model that wrote the last version; `demo` quotes, or plays a recording."
    )
    model = serializers.SerializerMethodField()
    imported = serializers.SerializerMethodField(help_text=f"Of the last version. {IMPORTED}")
    stale = serializers.BooleanField(
        source="staleness.stale",
        read_only=True,
        help_text="It was made from something that has a newer accepted version by now.",
    )
    stale_because = StaleReasonSerializer(source="staleness.because", many=True, read_only=True)
    refresh_step = serializers.CharField(
        source="staleness.refresh_step",
        read_only=True,
        help_text="The step to rewind to, so that it is made anew; empty if there is none.",
    )

    class Meta:
        model = Artifact
        fields = (
            "id",
            "project",
            "artifact_type",
            "granularity",
            "title",
            "source_agent",
            "step",
            "task",
            "version",
            "accepted_version",
            "status",
            "sha256",
            "provider",
            "model",
            "imported",
            "stale",
            "stale_because",
            "refresh_step",
            "created_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_sha256(self, artifact: Artifact) -> str:
        return artifact.newest[0].sha256

    def get_status(self, artifact: Artifact) -> VersionStatus:
        return artifact.newest[0].status

    def get_provider(self, artifact: Artifact) -> str:
        return artifact.newest[0].provider

    def get_model(self, artifact: Artifact) -> str:
        return artifact.newest[0].model

    @extend_schema_field(ClaimsSerializer(allow_null=True))
    def get_imported(self, artifact: Artifact) -> dict[str, Any] | None:
        return artifact.newest[0].claims


class ArtifactDetailSerializer(ArtifactSerializer):
    is_intact = serializers.SerializerMethodField(help_text=IS_INTACT)
    content = serializers.SerializerMethodField(
        help_text="Of the last version; null where it is not intact."
    )
    markdown = serializers.SerializerMethodField(help_text="The same for reading.")

    class Meta(ArtifactSerializer.Meta):
        fields = (*ArtifactSerializer.Meta.fields, "is_intact", "content", "markdown")
        read_only_fields = fields

    def get_is_intact(self, artifact: Artifact) -> bool:
        return artifact.newest[0].difference is None

    def get_content(self, artifact: Artifact) -> dict[str, Any] | None:
        return artifact.newest[0].shown_content

    def get_markdown(self, artifact: Artifact) -> str:
        newest = artifact.newest[0]
        if newest.difference:
            return newest.difference.detail
        return render_markdown(artifact.artifact_type, newest.content)


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
    text = serializers.CharField(read_only=True)


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


class DiffQuery(serializers.Serializer):
    """`to` is the last version unless given, `from` the one before `to`."""

    to = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        first = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
        # `from` and `as` are words of the language and no names for attributes.
        form = serializers.ChoiceField(choices=["json", "html"], default="json")
        return {"from": first} | super().get_fields() | {"as": form}


class FileDiffSerializer(serializers.Serializer):
    path = serializers.CharField()
    status = serializers.ChoiceField(choices=Change.choices)
    unified = serializers.CharField(
        allow_null=True, help_text="Null: too long to compare by lines."
    )


class SectionDiffSerializer(FileDiffSerializer):
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=SectionKind.choices)


class ChangeSerializer(serializers.Serializer):
    path = serializers.CharField()
    pointer = serializers.CharField(allow_blank=True, help_text="The same as a JSON pointer.")
    change = serializers.ChoiceField(choices=Change.choices)
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class DiffSerializer(serializers.Serializer):
    artifact = serializers.UUIDField()
    to = serializers.IntegerField()
    from_sha256 = serializers.CharField()
    to_sha256 = serializers.CharField()
    is_equal = serializers.BooleanField()
    is_complete = serializers.BooleanField(help_text="False: cut short, for it is very long.")
    files = FileDiffSerializer(many=True)
    sections = SectionDiffSerializer(many=True)
    changes = ChangeSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.IntegerField()} | super().get_fields()


class LineageQuery(VersionQuery):
    direction = serializers.ChoiceField(
        choices=["sources", "results", "both"],
        default="both",
        help_text="What it was made from, what was made from it, or both.",
    )
    depth = serializers.IntegerField(
        min_value=1, max_value=DEPTH_MAX, default=5, help_text="How many steps away."
    )


class EntitySerializer(serializers.Serializer):
    """A version. `depth`: steps away from the one that was asked for; sources are negative."""

    id = serializers.CharField()
    artifact = serializers.UUIDField()
    version = serializers.IntegerField()
    artifact_type = KindField(choices=artifact_type_choices)
    title = serializers.CharField()
    step = serializers.CharField()
    status = serializers.ChoiceField(choices=VersionStatus.choices)
    sha256 = serializers.CharField()
    depth = serializers.IntegerField()
    was_generated_by = serializers.CharField(
        allow_null=True, help_text="Id of an activity; null for what a person handed in."
    )
    was_attributed_to = serializers.CharField(help_text="`agent:coder` or `user:3`.")
    created_at = serializers.DateTimeField()


class ActivitySerializer(serializers.Serializer):
    """An attempt of a task, a person's decision or an import, and the versions that it used."""

    id = serializers.CharField()
    task = serializers.UUIDField(allow_null=True)
    attempt = serializers.IntegerField(allow_null=True)
    decision = serializers.UUIDField(allow_null=True)
    agent = serializers.CharField()
    provider = serializers.CharField()
    model = serializers.CharField()
    imported = ClaimsSerializer(allow_null=True, help_text="Of an import: what it was said to be.")
    prompt_sha256 = serializers.CharField(help_text="Over all that the model was given.")
    used = serializers.ListField(child=serializers.CharField())


class DerivedSerializer(serializers.Serializer):
    derived = serializers.CharField()
    source = serializers.CharField()
    kind = serializers.ChoiceField(choices=DerivationKind.choices)


class LineageSerializer(serializers.Serializer):
    """Origin and consequences of a version, in the words of W3C PROV."""

    artifact = serializers.UUIDField()
    version = serializers.IntegerField()
    is_complete = serializers.BooleanField(help_text="False: there is more beyond the depth.")
    entities = EntitySerializer(many=True)
    activities = ActivitySerializer(many=True)
    was_derived_from = DerivedSerializer(many=True)


class ContextItemSerializer(serializers.Serializer):
    """One thing that was considered. Without a match, artifact and version are null."""

    need = serializers.ChoiceField(choices=Need.choices)
    asked_for = serializers.CharField()
    artifact = serializers.UUIDField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    artifact_type = serializers.CharField()
    title = serializers.CharField()
    part = serializers.CharField(help_text="Path of a section or id of a concept; empty: all.")
    form = serializers.ChoiceField(choices=Form.choices)
    tokens = serializers.IntegerField()
    full_tokens = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of the text that was given.")
    why = serializers.CharField()
    text = serializers.CharField(default="", help_text="Of a summary; empty for other forms.")


class ContextBuildSerializer(serializers.ModelSerializer):
    """What one attempt was given of the store. An error says why it was not even asked."""

    items = ContextItemSerializer(many=True)

    class Meta:
        model = ContextBuild
        fields = (
            "id",
            "project",
            "task",
            "attempt",
            "step",
            "agent_type",
            "model",
            "budget",
            "base_tokens",
            "tokens",
            "sha256",
            "error_code",
            "error_detail",
            "items",
            "created_at",
        )
        read_only_fields = fields
