import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.actors import Actor
from hitl.services import decide
from tests.ui.web.conftest import logged_in, plan_outcome, work_returns
from ui.web.inbox.plots import COUNTS, SECONDS, line_plot, stacked_plot

STATISTICS = "/admin/hitl/hitlrequest/statistics/"


def approve(request, user):
    decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action="approve",
        subject_digest=request.subject_digest,
        channel="admin",
    )


def figures(response):
    return {one["name"]: one["value"] for one in response.context["figures"]}


def plot_of(response, name):
    return next(plot for plot in response.context["plots"] if plot.name == name)


@pytest.mark.django_db
def test_it_tells_what_waits_and_what_was_decided(plan_request, make_project, approver):
    approve(plan_request, approver)
    work_returns(make_project(name="Ferry", auto_start=True), plan_outcome())

    shown = logged_in(approver).get(STATISTICS)

    assert figures(shown)["Waiting now"] == 1
    assert figures(shown)["Decisions"] == 1
    assert figures(shown)["Approved as shown"] == "100 %"
    assert plot_of(shown, "actions").rows[-1][1][0] == "1"
    assert plot_of(shown, "depth").summary == "waiting: last 1, highest 1"


@pytest.mark.django_db
def test_others_projects_are_not_counted(plan_request, approver, outsider):
    approve(plan_request, approver)
    shown = logged_in(outsider).get(f"{STATISTICS}?project={plan_request.project_id}")
    assert figures(shown)["Decisions"] == 0
    assert "Nothing in this period." in shown.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["", "?period=day", "?period=x", "?project=1", "?period=quarter"])
def test_any_choice_has_an_answer_under_the_strict_policy(plan_request, approver, query):
    shown = logged_in(approver).get(STATISTICS + query)
    assert shown.status_code == 200
    assert "unsafe" not in shown.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_only_who_may_enter_the_admin_reads_it(client, plan_request, approver):
    assert client.get(STATISTICS).status_code == 302
    assert logged_in(approver).post(STATISTICS).status_code == 405


@pytest.mark.django_db
def test_it_takes_as_many_queries_for_many_projects_as_for_one(make_project, approver, owner):
    client = logged_in(approver)

    def queries():
        work_returns(make_project(auto_start=True), plan_outcome())
        with CaptureQueriesContext(connection) as captured:
            client.get(STATISTICS)
        return len(captured)

    approver.is_staff = True
    approver.save(update_fields=["is_staff"])
    assert queries() == queries()


def say(value):
    return f"{value:g}"


def test_a_line_has_a_gap_where_nothing_is_known():
    plot = line_plot(
        {"p50": [1.0, None, 3.0, 4.0]}, name="n", title="t", labels=list("abcd"), say=say
    )
    (line,) = plot.series
    assert line.path.count("M") == 2
    assert [mark.says for mark in line.marks] == ["a, p50: 1", "c, p50: 3", "d, p50: 4"]
    assert plot.rows[1] == ("b", ["–"])


def test_bars_stand_on_each_other():
    plot = stacked_plot(
        {"one": [2, 0], "two": [2, 4]}, name="n", title="t", labels=["a", "b"], say=say
    )
    low, high = plot.series[0].marks[0], plot.series[1].marks[0]
    assert high.y + high.height == pytest.approx(low.y)
    assert len(plot.series[0].marks) == 1
    assert [tick.label for tick in plot.up] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("highest", "steps", "top"),
    [
        (0, COUNTS, 4),
        (5, COUNTS, 8),
        (10_000, COUNTS, 20_000),
        (90, SECONDS, 120),
        (7200, SECONDS, 7200),
    ],
)
def test_an_axis_ends_at_a_round_number(highest, steps, top):
    plot = line_plot({"n": [highest]}, steps, name="n", title="t", labels=["a"], say=say)
    assert plot.up[-1].label == say(top)
