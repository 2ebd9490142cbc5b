"""An installation as a small team would have it after a few weeks, and the way to each page."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.utils import timezone

from agents.endpoints.services import save_endpoint
from agents.own_types import save_agent_type
from audit.actors import Actor
from context.models import Artifact, ContextBuild
from hitl.agent_actions.claims import claim_action, report_outcome
from hitl.models import AgentAction, HitlRequest
from hitl.services import add_comment, delegate_decisions
from notifications.enums import DeliveryStatus
from notifications.models import LocalMail, Notification, Webhook, WebhookDelivery
from projects.groups import add_group
from projects.invitations import invite_member
from projects.models import Project
from projects.services import add_member, create_project, update_project
from tests.scenes import (
    agent_returns,
    ask_of_agent,
    decide_as,
    escalate,
    questions,
    set_policy,
    work_once,
)
from tools.benchmarks.queue import Queue

CHANGE = "/admin/{}/{}/{}/change/"


@dataclass
class Scene:
    """`dana` owns the projects and operates the installation, `omar` approves."""

    dana: User
    omar: User
    key: str = ""
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> Actor:
        return Actor.of_user(self.dana)

    def new_project(self, name: str, **fields: str) -> Project:
        project = create_project(actor=self.owner, name=name, auto_start=True, **fields)
        add_member(project_id=project.pk, actor=self.owner, user=self.omar, role="approver")
        return project

    def asks(self, name: str, request: HitlRequest) -> HitlRequest:
        self.pages[name] = CHANGE.format("hitl", "hitlrequest", request.pk)
        return request


def example(scene: Scene, name: str, file: str) -> Project:
    brief = (settings.BASE_DIR / "examples" / f"{file}.md").read_text(encoding="utf-8")
    return scene.new_project(name, brief=brief)


def worked_until(project: Project, step: str, user: User) -> HitlRequest:
    """The request about the step, after all before it were approved."""
    while True:
        request = _next_request(project)
        if request.step == step:
            return request
        decide_as(user, request, comment="")


def _next_request(project: Project) -> HitlRequest:
    for _ in range(50):
        work_once()
        if request := HitlRequest.objects.pending().filter(project=project).first():
            return request
    raise AssertionError("no request came")


def build_scene() -> Scene:
    dana = User.objects.create_user(
        "dana", "dana@example.com", is_staff=True, is_superuser=True, first_name="Dana"
    )
    scene = Scene(dana, User.objects.create_user("omar", "omar@example.com"))
    ask_for_people(scene)
    library = work_of_the_demo_model(scene)
    fill_project(scene, library)
    fill_installation(scene, library)
    return scene


def ask_for_people(scene: Scene) -> None:
    """One request of each kind that needs no model."""
    dana, omar = scene.dana, scene.omar
    ferry = scene.new_project("Ferry", brief="A timetable for the ferry, for passengers.")
    scene.asks("clarification", agent_returns(ferry, questions()))
    bakery = scene.new_project("Bakery", brief="Orders for the bakery, over the week.")
    scene.asks("escalation", escalate(bakery))
    refunds = scene.new_project("Refunds", brief="Refunds of lost parcels.", workflow="none")
    why, hints = "The parcel was lost.", {"destructiveHint": True}

    def asks(key: str, order: str, amount: float, **arguments: str) -> HitlRequest:
        call = {"order": order, "amount": amount, "currency": "EUR"} | arguments
        action = ask_of_agent(refunds, dana, call, key, why=why, hints=hints, effect=f"r:{key}")
        return action.requests.get()

    decide_as(omar, asks("1", "1042", 40), "reject", comment="Ask the shop first.")
    asks("2", "1042", 40)
    decide_as(omar, asks("3", "1043", 12.5, note="second parcel"))
    scene.asks("card", asks("4", "1042", 40))
    ask_by_forms(scene, refunds)


def ask_by_forms(scene: Scene, project: Project) -> None:
    """What people answer an agent by filling in a form."""
    letter = {
        "type": "object",
        "properties": {
            "send": {"type": "boolean", "description": "Whether the letter goes out at all."},
            "tone": {"enum": ["plain", "formal", "friendly"]},
            "refund": {"type": "number", "description": "In euros."},
            "by": {"type": "array", "items": {"enum": ["post", "mail", "phone"]}},
            "words": {"type": "string"},
        },
        "required": ["send", "tone"],
    }

    def asks(key: str, tool: str, **fields: Any) -> AgentAction:
        call = {"order": key, "amount": 40, "to": "Ines Weber", "letter": "With our regrets."}
        tools = {"name": tool, "server": "post"}
        return ask_of_agent(project, scene.dana, call, key, tool=tools, **fields)

    question = asks("1051", "send_letter", allowed=["answer"], response_schema=letter)
    scene.asks("answer", question.requests.get())

    sent = asks("1052", "send_letter")
    decide_as(scene.omar, sent.requests.get())
    here = {"action_id": sent.pk, "credential": sent.credential}
    claim = claim_action(**here, action_digest=sent.action_digest)
    report_outcome(**here, fence=claim.action.fence, status="unknown", error="No answer came.")
    scene.asks("happened", sent.requests.pending().get())

    further = {"count": 5, "bounds": {"properties": {"amount": {"maximum": 50}}}}
    first = scene.asks("standing", asks("1053", "send_parcel").requests.get())
    decide_as(scene.omar, first, content={"follow_up": further})
    asks("1054", "send_parcel")
    scene.asks("further", asks("1055", "send_letter").requests.get())


def work_of_the_demo_model(scene: Scene) -> Project:
    """Recordings of the examples, each at another step."""
    dana = scene.dana
    library, prices, expenses = (
        example(scene, "Library", "library"),
        example(scene, "Parcel prices", "parcel-prices"),
        example(scene, "Expenses", "expenses"),
    )
    set_policy(expenses, due_after=4 * 3600, expire_after=8 * 3600, on_timeout="escalate")
    scene.asks("plan", worked_until(expenses, "project_plan", dana))
    scene.asks("specification", worked_until(prices, "specification", dana))
    code = worked_until(library, "build", dana)
    decide_as(dana, code, "request_changes", comment="Say in the help how long a loan lasts.")
    scene.asks("results", worked_until(library, "validate", dana))
    text = "Omar, can you check the tests of overdue loans?"
    add_comment(request_id=_next_request(library).pk, actor=scene.owner, text=text)
    return library


def fill_project(scene: Scene, project: Project) -> None:
    """Members, groups, an invitation, an absence, a budget, an endpoint, a webhook."""
    owner, here = scene.owner, {"project_id": project.pk}
    readers = Group.objects.create(name="auditors")
    readers.user_set.add(User.objects.create_user("petra"))
    add_group(actor=owner, group="auditors", role="viewer", **here)

    def link_to(key: str) -> str:
        scene.key = key
        return f"https://paraph.example/invitation/?key={key}"

    invite_member(actor=owner, email="ines@example.com", role="approver", link_to=link_to, **here)
    tomorrow = timezone.now() + timedelta(days=5)
    delegate_decisions(actor=owner, delegate=scene.omar, ends_at=tomorrow, **here)
    update_project(actor=owner, budget_micros=5_000_000, budget_soft_micros=4_000_000, **here)
    endpoint = {"speaks": "openai", "base_url": "https://openrouter.ai/api/v1", "api_key": "sk-x"}
    save_endpoint(actor=owner, name="own", is_new=True, **endpoint, **here)
    webhook = Webhook.objects.create(
        project=project, url="https://hooks.example.com/paraph", created_by=scene.dana
    )
    for number, status in enumerate((DeliveryStatus.SENT, DeliveryStatus.DEAD), start=1):
        WebhookDelivery.objects.create(
            webhook=webhook,
            status=status,
            sequence=number,
            event_type="project_started",
            attempts=number,
        )
    base = CHANGE.format("projects", "project", project.pk)
    artifacts = Artifact.objects.filter(project=project)
    source, plan = (artifacts.get(artifact_type=name) for name in ("source_code", "project_plan"))
    artifact = CHANGE.format("context", "artifact", plan.pk)
    build = ContextBuild.objects.filter(project=project).last()
    scene.pages |= {
        "project": base,
        "members": base.replace("change/", "members/"),
        "policy": base.replace("change/", "policy/"),
        "usage": base.replace("change/", "usage/"),
        "endpoints": base.replace("change/", "models/"),
        "webhooks": base.replace("change/", "webhooks/"),
        "requirements": base.replace("change/", "requirements/"),
        "artifact": artifact,
        "source": CHANGE.format("context", "artifact", source.pk),
        "lineage": artifact.replace("change/", "lineage/"),
        "build": CHANGE.format("context", "contextbuild", build.pk),
    }


def fill_installation(scene: Scene, project: Project) -> None:
    save_agent_type(
        actor=scene.owner,
        name="translator",
        is_new=True,
        title="Translator",
        phase="build",
        instructions="Translate the manual.",
    )
    LocalMail.objects.create(
        to="omar@example.com",
        subject="Paraph: Approve the plan of Expenses",
        text="Approve the plan of Expenses\n\nhttp://127.0.0.1:8000/admin/",
    )
    Notification.objects.create(
        user=scene.omar,
        channel="email",
        recipient=f"user:{scene.omar.pk}",
        kind="request",
        project=project,
        key="example",
        status=DeliveryStatus.DEAD,
        run_at=timezone.now(),
        attempts=9,
        error="The mail server does not know this address.",
    )
    past_weeks(scene)
    scene.pages |= {
        "inbox": "/admin/",
        "projects": "/admin/projects/project/",
        "new_project": "/admin/projects/project/add/",
        "statistics": "/admin/hitl/hitlrequest/statistics/",
        "days": "/admin/hitl/hitlrequest/statistics/?from=2026-01-01&to=2025-01-01",
        "profile": "/admin/profile/",
        "notifications": "/admin/notifications/",
        "outbox": "/admin/outbox/",
        "stops": "/admin/agents/emergencystop/control/",
        "agent_types": "/admin/agent-types/",
        "agent_type": "/admin/agent-types/translator/",
        "workflows": "/admin/workflows/",
        "workflow": "/admin/workflows/sdlc/",
        "floor": "/admin/installation-floor/",
        "search": "/admin/search/?q=loan",
        "user": CHANGE.format("auth", "user", scene.omar.pk),
        "two_factor": "/accounts/2fa/",
        "reauthenticate": "/admin/reauthenticate/",
    }


def past_weeks(scene: Scene) -> None:
    """A month of requests that were settled, for the statistics."""
    queue, dice, now = Queue(projects=1), random.Random(7), timezone.now()
    project = queue.first[0].request.project
    owner = Actor.of_user(queue.owner)
    add_member(project_id=project.pk, actor=owner, user=scene.omar, role="viewer")
    queue.fill(HitlRequest.objects.pending().count() + 240)
    for request in HitlRequest.objects.pending().filter(project=project):
        opened = now - timedelta(days=dice.uniform(0.2, 30))
        settled = opened + timedelta(minutes=dice.lognormvariate(4, 1.2))
        HitlRequest.objects.filter(pk=request.pk).update(
            status="expired" if dice.random() < 0.04 else "approved",
            created_at=opened,
            resolved_at=min(settled, now),
        )
