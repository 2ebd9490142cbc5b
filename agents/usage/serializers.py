from rest_framework import serializers


class SumsSerializer(serializers.Serializer):
    """Tokens of calls whose provider is silent are in no sum, nor is a cost that is not known."""

    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField(
        help_text="Of the input, read from the provider's cache."
    )
    output_tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField(help_text="Millionths of the currency of the prices.")
    cost_unknown_calls = serializers.IntegerField()


class AgentUsageSerializer(SumsSerializer):
    agent_type = serializers.CharField()


class ModelUsageSerializer(SumsSerializer):
    provider = serializers.CharField()
    model = serializers.CharField()


class DayUsageSerializer(SumsSerializer):
    day = serializers.DateField(help_text="In UTC.")


class BudgetSerializer(serializers.Serializer):
    """`spent_micros` counts calls of unknown cost as the settings say, never as nothing."""

    limit_micros = serializers.IntegerField(allow_null=True)
    soft_limit_micros = serializers.IntegerField(allow_null=True)
    day_limit_micros = serializers.IntegerField(allow_null=True)
    spent_micros = serializers.IntegerField()
    reserved_micros = serializers.IntegerField(help_text="Held back for calls under way.")


class UsageSerializer(SumsSerializer):
    by_agent = AgentUsageSerializer(many=True)
    by_model = ModelUsageSerializer(many=True)
    by_day = DayUsageSerializer(many=True)
    budget = BudgetSerializer()
