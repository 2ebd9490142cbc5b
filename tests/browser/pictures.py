"""The pictures of the docs, of projects that the demo model works on. By `make pictures`."""

import random
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from audit.actors import Actor
from hitl.models import HitlRequest
from hitl.services import add_comment
from projects.models import Project
from projects.services import add_member, create_project
from tests.scenes import ask_of_agent, decide_as, set_policy, work_once
from tools.benchmarks.queue import Queue

PICTURES = settings.BASE_DIR / "docs" / "img"
DESK = {"viewport": {"width": 1120, "height": 760}}
PHONE = {"viewport": {"width": 390, "height": 760}, "has_touch": True, "is_mobile": True}


def picture(one, name):
    one.page.wait_for_load_state("networkidle")
    one.page.screenshot(path=PICTURES / f"{name}.png")


def worked_until(project: Project, step: str, user: User) -> HitlRequest:
    """The request about the step, after all before it were approved."""
    while True:
        request = _asked(project)
        if request.step == step:
            return request
        decide_as(user, request, comment="")


def _asked(project: Project) -> HitlRequest:
    for _ in range(50):
        work_once()
        if request := HitlRequest.objects.pending().filter(project=project).first():
            return request
    raise AssertionError("no request came")


def past_weeks(user: User) -> None:
    """A month of requests that were settled, for the statistics."""
    queue, dice, now = Queue(projects=1), random.Random(7), timezone.now()
    project = queue.first[0].request.project
    add_member(project_id=project.pk, actor=Actor.of_user(queue.owner), user=user, role="approver")
    queue.fill(HitlRequest.objects.pending().count() + 240)
    for request in HitlRequest.objects.pending().filter(project=project):
        opened = now - timedelta(days=dice.uniform(0.2, 30))
        settled = opened + timedelta(minutes=dice.lognormvariate(4, 1.2))
        HitlRequest.objects.filter(pk=request.pk).update(
            status="expired" if dice.random() < 0.04 else "approved",
            created_at=opened,
            resolved_at=min(settled, now),
        )


@pytest.fixture
def people(transactional_db):
    return [User.objects.create_user(name, is_staff=True) for name in ("dana", "omar")]


@pytest.fixture
def projects(people):
    dana, omar = people
    made = []
    for name, example in (
        ("Library", "library"),
        ("Parcel prices", "parcel-prices"),
        ("Expenses", "expenses"),
    ):
        brief = (settings.BASE_DIR / "examples" / f"{example}.md").read_text()
        owner = Actor.of_user(dana)
        project = create_project(actor=owner, name=name, brief=brief, auto_start=True)
        add_member(project_id=project.pk, actor=owner, user=omar, role="approver")
        made.append(project)
    return made


def test_pictures(projects, people, person):
    dana, omar = people
    library, prices, expenses = projects
    set_policy(expenses, due_after=4 * 3600, expire_after=8 * 3600, on_timeout="escalate")
    worked_until(prices, "specification", dana)
    worked_until(expenses, "project_plan", dana)
    code = worked_until(library, "build", dana)
    decide_as(dana, code, "request_changes", comment="Say in the help how long a loan lasts.")
    again = worked_until(library, "build", dana)
    add_comment(
        request_id=again.pk, actor=Actor.of_user(dana), text="Omar, can you check the help text?"
    )

    one = person(omar, **DESK)
    expect(one.page.get_by_text("3 requests waiting for you")).to_be_visible()
    picture(one, "inbox")
    one.opens(f"/admin/hitl/hitlrequest/{again.pk}/change/")
    picture(one, "request")
    one.opens(
        f"/admin/hitl/hitlrequest/{HitlRequest.objects.pending().get(project=prices).pk}/change/"
    )
    one.page.keyboard.press("m")
    one.page.get_by_label("summary", exact=True).fill("")
    expect(one.page.get_by_text(re.compile("^summary: "))).to_be_visible()
    picture(one, "amend")
    owner = person(dana, **DESK)
    owner.opens(f"/admin/projects/project/{library.pk}/change/")
    expect(owner.page.get_by_text("· live")).to_be_visible()
    picture(owner, "project")
    owner.opens(f"/admin/projects/project/{library.pk}/policy/")
    picture(owner, "policy")

    past_weeks(omar)
    one.opens("/admin/hitl/hitlrequest/statistics/")
    picture(one, "statistics")

    phone = person(omar, **PHONE)
    picture(phone, "inbox-phone")
    phone.opens(f"/admin/hitl/hitlrequest/{again.pk}/change/")
    picture(phone, "request-phone")


def test_pictures_of_calls(people, person):
    dana, omar = people
    owner = Actor.of_user(dana)
    project = create_project(
        actor=owner, name="Refunds", brief="Refunds of lost parcels.", workflow="none"
    )
    add_member(project_id=project.pk, actor=owner, user=omar, role="approver")
    why, hints = "The parcel was lost.", {"destructiveHint": True}

    def asks(key, order, amount, **arguments):
        call = {"order": order, "amount": amount, "currency": "EUR"} | arguments
        action = ask_of_agent(project, dana, call, key, why=why, hints=hints)
        return action.requests.get()

    decide_as(omar, asks("1", "1042", 40), "reject", comment="Ask the shop first.")
    asks("2", "1042", 40)
    asks("3", "1042", 40)
    decide_as(omar, asks("4", "1043", 12.5, note="second parcel"))
    large = asks("5", "1042", 40)

    one = person(omar, **DESK)
    expect(one.page.get_by_text("3 identical calls")).to_be_visible()
    one.page.get_by_text("Their arguments, complete").click()
    picture(one, "same-calls")
    tall = person(omar, viewport={"width": 1120, "height": 1320})
    tall.opens(f"/admin/hitl/hitlrequest/{large.pk}/change/")
    picture(tall, "card")
    tall.page.keyboard.press("m")
    picture(tall, "card-amend")
