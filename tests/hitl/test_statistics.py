from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.services import claim_task
from audit.actors import Actor
from core.errors import InvalidInput
from hitl.models import HitlRequest
from hitl.services import decide
from hitl.statistics import DAY, PERIODS, WIDTHS, chosen_spans, statistics
from orchestrator.engine.advance import advance_project
from tests.scenes import asked, pending_task

pytestmark = pytest.mark.django_db

STATISTICS = "/api/v1/hitl/statistics/"


def decide_as(user, request, action="approve", **fields):
    return decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action=action,
        subject_digest=request.subject_digest,
        channel="rest",
        **fields,
    )


def resolved(request, status, *, opened, took):
    """As if it had been settled then; the times are what a test cannot wait for."""
    HitlRequest.objects.filter(pk=request.pk).update(
        status=status, created_at=opened, resolved_at=opened + took
    )


def test_decision_times_are_given_by_the_span_in_which_was_decided(make_project, approver):
    now = timezone.now()
    yesterday = now - timedelta(days=1)
    for minutes in (10, 20, 30):
        opened = yesterday - timedelta(minutes=minutes)
        took = timedelta(minutes=minutes)
        resolved(asked(make_project()), "approved", opened=opened, took=took)

    figures = statistics(approver, period="month")

    times = [span["decision_time_seconds"]["p50"] for span in figures["over_time"]]
    assert times[-2:] == [1200, None]
    assert figures["over_time"][-2]["decision_time_seconds"]["p95"] == pytest.approx(1740)
    assert set(times[:-2]) == {None}


def test_the_depth_of_the_queue_counts_what_waited_at_the_end_of_each_span(make_project, approver):
    now = timezone.now()
    long_ago = asked(make_project())
    HitlRequest.objects.filter(pk=long_ago.pk).update(created_at=now - timedelta(days=90))
    opened, took = now - timedelta(days=5), timedelta(days=3)
    resolved(asked(make_project()), "expired", opened=opened, took=took)

    figures = statistics(approver, period="month")

    assert [span["pending"] for span in figures["over_time"]][-7:] == [1, 2, 2, 2, 1, 1, 1]
    assert [span["expired"] for span in figures["over_time"]][-7:] == [0, 0, 0, 0, 1, 0, 0]
    assert (figures["expired"], figures["pending"]) == (1, 1)
    assert figures["oldest_pending_at"] == now - timedelta(days=90)


def test_decisions_are_counted_by_action(make_project, approver):
    decide_as(approver, asked(make_project()))
    decide_as(approver, asked(make_project()), "reject", comment="Not this.")

    figures = statistics(approver, period="day")

    expected = {
        "approve": 1,
        "reject": 1,
        "amend": 0,
        "request_changes": 0,
        "answer": 0,
        "try_again": 0,
    }
    assert figures["by_action"] == expected
    assert figures["over_time"][-1]["by_action"] == expected


def test_resuming_is_timed_from_the_decision_to_the_next_start_of_a_task(project, approver):
    decide_as(approver, asked(project))
    advance_project(project.pk)
    assert statistics(approver)["resume_latency_seconds"]["count"] == 0

    claim_task(task_id=pending_task(project).pk, worker="test:1:1")

    latency = statistics(approver)["resume_latency_seconds"]
    assert latency["count"] == 1
    assert 0 < latency["p50"] == latency["p95"] < 60


def test_what_ends_the_work_is_not_waited_for(project, approver):
    decide_as(approver, asked(project), "reject", comment="Not this.")

    latency = statistics(approver)["resume_latency_seconds"]
    assert latency == {"count": 0, "mean": None, "p50": None, "p95": None}


def test_others_projects_are_not_counted(project, approver, outsider):
    decide_as(approver, asked(project))
    advance_project(project.pk)
    claim_task(task_id=pending_task(project).pk, worker="test:1:1")

    figures = statistics(outsider)

    assert (figures["total"], sum(figures["by_action"].values())) == (0, 0)
    assert figures["resume_latency_seconds"]["count"] == 0
    assert {span["opened"] for span in figures["over_time"]} == {0}


@pytest.mark.parametrize("name", PERIODS)
def test_the_spans_of_a_period_lie_side_by_side_and_the_last_holds_now(name):
    period = PERIODS[name]
    for now in (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 23, 59, 59, 9, tzinfo=UTC)):
        starts = period.spans(now)

        assert len(starts) == period.number
        steps = {later - earlier for earlier, later in pairwise(starts)}
        assert steps == {period.width}
        assert starts[-1] <= now < starts[-1] + period.width


def test_the_api_takes_a_period(project, approver, client_of):
    decide_as(approver, asked(project))

    figures = client_of(approver).get(STATISTICS, {"period": "day"}).json()

    assert figures["period"]["name"] == "day"
    assert len(figures["over_time"]) == 24
    assert figures["over_time"][-1]["by_action"]["approve"] == 1
    refused = client_of(approver).get(STATISTICS, {"period": "century"})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "period"


def test_days_of_a_time_zone_are_chosen_and_none_is_left_out():
    vienna = ZoneInfo("Europe/Vienna")
    spans = chosen_spans(date(2026, 3, 1), date(2026, 3, 31), vienna)
    assert spans.since == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert spans.end == datetime(2026, 3, 31, 22, tzinfo=UTC)
    lengths = [later - earlier for earlier, later in pairwise([*spans.starts, spans.end])]
    assert (len(lengths), sum(lengths, timedelta())) == (31, spans.end - spans.since)
    assert lengths.count(timedelta(hours=23)) == 1, "clocks go forward"


@pytest.mark.parametrize("days", [1, 2, 3, 15, 16, 62, 63, 400, 5000, 9000])
def test_a_chosen_period_has_no_more_spans_than_a_page_shows(days):
    last = date(2026, 6, 30)
    spans = chosen_spans(last - days * DAY + DAY, last)
    assert len(spans.starts) <= 62
    assert spans.width in WIDTHS
    assert spans.starts[-1] < spans.end <= spans.starts[-1] + spans.width
    assert spans.end - spans.since == days * DAY


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        (None, date(2026, 1, 1), "from"),
        (date(1, 1, 1), date(2026, 1, 1), "from"),
        (date(9999, 12, 31), date(9999, 12, 31), "from"),
        (date(2026, 1, 2), date(2026, 1, 1), "to"),
        (date(2026, 1, 2), date.min, "to"),
    ],
)
def test_what_is_wrong_with_chosen_days_is_said_of_the_field(first, last, field):
    with pytest.raises(InvalidInput) as refused:
        chosen_spans(first, last, ZoneInfo("Asia/Tokyo"))
    assert refused.value.errors[0]["field"] == field


def test_the_api_takes_days(project, make_project, approver, client_of):
    decide_as(approver, asked(project))
    opened, took = datetime(2026, 1, 31, 12, tzinfo=UTC), timedelta(days=2)
    resolved(asked(make_project()), "expired", opened=opened, took=took)
    client = client_of(approver)

    figures = client.get(STATISTICS, {"from": "2026-01-30", "to": "2026-01-31"}).json()

    assert figures["period"] == {
        "name": "chosen",
        "since": "2026-01-30T00:00:00Z",
        "until": "2026-02-01T00:00:00Z",
    }
    assert sum(span["opened"] for span in figures["over_time"]) == 1
    assert figures["over_time"][-1]["pending"] == 1
    assert sum(figures["by_action"].values()) == figures["expired"] == 0
    till_now = client.get(STATISTICS, {"from": "2026-01-01"}).json()
    assert (till_now["by_action"]["approve"], till_now["expired"]) == (1, 1)
    refused = client.get(STATISTICS, {"from": "2026-01-32"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "from")


def test_it_takes_as_many_queries_for_many_as_for_one(make_project, approver):
    asked(make_project())
    with CaptureQueriesContext(connection) as few:
        statistics(approver)
    for _ in range(4):
        decide_as(approver, asked(make_project()))
    with CaptureQueriesContext(connection) as many:
        statistics(approver)
    assert len(many) == len(few)
