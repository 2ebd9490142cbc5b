from rest_framework import serializers

from context.enums import Change, SectionKind


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
