"""Verification by the schedule, and what it tells."""

from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.db.models import F

from audit.installation import INSTALLATION
from audit.models import LogVerification
from audit.schedule import TREE, note, verify_due
from ops.health.check import Status
from ops.health.checks.integrity import check_integrity
from projects.models import Membership
from tests.fixtures import note_people
from tests.live import write
from tests.scenes import asked, decide_as

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def users(owner, approver, viewer, monkeypatch):
    note_people()
    # The check has a connection of its own, which does not see this transaction.
    monkeypatch.setattr("ops.health.checks.integrity.database_cursor", nullcontext)


def let_pass(**time):
    LogVerification.objects.update(verified_at=F("verified_at") - timedelta(**time))


def test_all_is_verified_once_and_what_goes_on_within_the_hour(project, make_project):
    other = make_project(name="Another")

    assert (verify_due(), verify_due()) == (3, 0)
    assert {*LogVerification.objects.values_list("subject", "problem")} == {
        (str(project.pk), ""),
        (str(other.pk), ""),
        (str(INSTALLATION), ""),
    }

    write(other.pk)
    assert verify_due() == 0
    let_pass(minutes=31)
    assert verify_due() == 1
    let_pass(hours=12)
    assert verify_due() == 3


def test_health_says_what_differs_until_it_is_put_right(project, owner, viewer):
    decide_as(owner, asked(project))
    verify_due()
    assert check_integrity().status == Status.HEALTHY

    Membership.objects.filter(role="viewer").update(role="approver")
    let_pass(hours=13)
    verify_due()

    finding = check_integrity()
    assert (finding.status, finding.facts["problems"]) == (Status.UNHEALTHY, 1)

    Membership.objects.filter(user=viewer).update(role="viewer")
    let_pass(hours=13)
    verify_due()
    assert check_integrity().status == Status.HEALTHY


def test_health_says_that_nobody_verifies(project):
    verify_due()
    let_pass(hours=27)

    assert check_integrity().status == Status.DEGRADED


def test_a_log_that_is_not_the_signed_one_is_a_problem():
    note(TREE, "the hashes of the events are not those that were signed")

    assert check_integrity().status == Status.UNHEALTHY


def test_a_project_without_a_log_is_found_with_the_installation(project):
    Membership.objects.all().delete()
    project.pk = None
    project.id = "11111111-1111-4111-8111-111111111111"
    project.save(force_insert=True)

    verify_due()

    problem = LogVerification.objects.get(subject=str(INSTALLATION)).problem
    assert problem == "project: no event created it"
