from rest_framework import serializers

from context.artifact_types import artifact_type_choices
from context.enums import DerivationKind, VersionStatus
from context.lineage import DEPTH_MAX
from context.serializers.parts import VersionQuery
from core.fields import KindField


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
