from rest_framework import serializers

from context.words import Change


class DiffQuery(serializers.Serializer):
    """`to` is the last version unless given, `from` the one before `to`."""

    to = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)

    def get_fields(self) -> dict[str, serializers.Field]:
        first = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
        # `from` is a word of the language and no name for an attribute.
        return {"from": first} | super().get_fields()


class FileDiffSerializer(serializers.Serializer):
    path = serializers.CharField()
    status = serializers.ChoiceField(choices=Change.choices)
    unified = serializers.CharField(
        allow_null=True, help_text="Null: too long to compare by lines."
    )


class ChangeSerializer(serializers.Serializer):
    path = serializers.CharField()
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
    changes = ChangeSerializer(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {"from": serializers.IntegerField()} | super().get_fields()
