from typing import Any

from rest_framework import serializers

from context.enums import ArtifactType, Granularity, VersionStatus
from context.models import Artifact, ArtifactVersion
from context.rendering import render_markdown
from core.fields import ContentField, IdField, NumberField, TextField
from core.serializers import StrictSerializer


class ArtifactInput(StrictSerializer):
    """`content` must fit the schema of its type."""

    project = IdField()
    artifact_type = serializers.ChoiceField(choices=ArtifactType.choices)
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


class VersionSerializer(serializers.ModelSerializer):
    """One version, without its content."""

    version = serializers.IntegerField(source="number", read_only=True)
    author_username = serializers.CharField(
        source="author.username", allow_null=True, default=None, read_only=True
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
            "created_at",
        )
        read_only_fields = fields


class VersionDetailSerializer(VersionSerializer):
    content = serializers.DictField(read_only=True)

    class Meta(VersionSerializer.Meta):
        fields = (*VersionSerializer.Meta.fields, "content")
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


class ArtifactDetailSerializer(ArtifactSerializer):
    content = serializers.SerializerMethodField(help_text="Of the last version.")
    markdown = serializers.SerializerMethodField(help_text="The same for reading.")

    class Meta(ArtifactSerializer.Meta):
        fields = (*ArtifactSerializer.Meta.fields, "content", "markdown")
        read_only_fields = fields

    def get_content(self, artifact: Artifact) -> dict[str, Any]:
        return artifact.newest[0].content

    def get_markdown(self, artifact: Artifact) -> str:
        return render_markdown(artifact.artifact_type, artifact.newest[0].content)
