from rest_framework import serializers

from hitl.statistics import PERIODS, USUAL_PERIOD


class Percentiles(serializers.Serializer):
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)


class Times(Percentiles):
    mean = serializers.FloatField(allow_null=True)


class ResumeLatency(Times):
    count = serializers.IntegerField()


class CoveredPeriod(serializers.Serializer):
    name = serializers.ChoiceField(choices=list(PERIODS))
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()


class Span(serializers.Serializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    opened = serializers.IntegerField()
    pending = serializers.IntegerField(help_text="How many waited at its end.")
    expired = serializers.IntegerField()
    by_action = serializers.DictField(child=serializers.IntegerField())
    decision_time_seconds = Percentiles()
    resume_latency_seconds = ResumeLatency()


class StatisticsQuery(serializers.Serializer):
    project = serializers.UUIDField(required=False)
    period = serializers.ChoiceField(
        choices=list(PERIODS),
        default=USUAL_PERIOD,
        help_text="`day` by hours, `week` by six hours, `month` by days, `quarter` by weeks.",
    )


class StatisticsSerializer(serializers.Serializer):
    """Over the requests that the caller may see. Times are in seconds."""

    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    overdue = serializers.IntegerField()
    oldest_pending_at = serializers.DateTimeField(allow_null=True)
    by_status = serializers.DictField(child=serializers.IntegerField())
    by_kind = serializers.DictField(child=serializers.IntegerField())
    approval_rate = serializers.FloatField(
        allow_null=True,
        help_text="Approved as shown, of all approved, amended, rejected and sent back; 0 to 1.",
    )
    decision_time_seconds = Times()
    period = CoveredPeriod(help_text="What all below is about; what is above is over all time.")
    by_action = serializers.DictField(
        child=serializers.IntegerField(), help_text="Decisions in the period."
    )
    expired = serializers.IntegerField()
    resume_latency_seconds = ResumeLatency(
        help_text="From a decision to the next start of a task in its project."
    )
    over_time = Span(many=True)
