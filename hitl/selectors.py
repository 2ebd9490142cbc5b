"""Reads of requests: what waits for whom, what is shown, and how people decide."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Now

from audit.models import Event
from audit.rows import RowProblem
from context.models import ArtifactVersion
from context.selectors import last_accepted_before
from hitl.agent_actions.digests import changed_call
from hitl.delegation import delegations_to
from hitl.digests import digest_of
from hitl.enums import LooseningStatus, OnTimeout, RequestStatus
from hitl.events import DECISION_RECORDED, STANDING_APPROVAL_GIVEN
from hitl.models import AgentAction, Decision, HitlRequest, Loosening, StandingApproval
from projects.access import DECIDE
from projects.enums import Role
from projects.models import Membership, Project

# As `barred_authors`, for requests of an older release, which did not look the authors up.
OWN_CONTENT = """
    SELECT request.id FROM hitl_requests AS request
    CROSS JOIN LATERAL jsonb_array_elements(request.subject -> 'outputs') AS output
    JOIN context_artifact_versions AS version
      ON version.artifact_id = (output ->> 'artifact')::uuid
     AND version.number = (output ->> 'version')::int
    WHERE request.status = 'pending' AND version.author_id = %s
"""
DECIDED = (
    RequestStatus.APPROVED,
    RequestStatus.AMENDED,
    RequestStatus.REJECTED,
    RequestStatus.CHANGES_REQUESTED,
)


# More than anybody looks through; the list of the REST API has pages.
INBOX_MAX = 500
INBOX_FIELDS = (
    *("id", "project", "project__name", "kind", "title"),
    *("created_at", "due_at", "expires_at"),
)


def requests_for(user: Any) -> QuerySet[HitlRequest]:
    """What the user may see, newest first."""
    requests = HitlRequest.objects.visible_to(user)
    return requests.select_related(
        "project", "task", "agent_action__credential", "claimed_by"
    ).order_by("-created_at", "-id")


def request_list_for(user: Any) -> QuerySet[HitlRequest]:
    """As `requests_for`, with no more than a list shows."""
    return (
        HitlRequest.objects.visible_to(user)
        .select_related("project", "claimed_by", "agent_action")
        .defer("project__brief", "agent_action__continuation", "agent_action__result")
        .order_by("-created_at", "-id")
    )


def waiting_for_me(queryset: QuerySet[HitlRequest], user: Any) -> QuerySet[HitlRequest]:
    """Pending requests on which the user may decide, by the rules of `hitl.rules.can_decide`."""
    waiting = _open_to(user) & _untouched_by(user)
    for delegation in delegations_to(user):
        absent, project = delegation.delegator, delegation.project_id
        # Whoever stands in decides themselves, and neither of both has had a part in it.
        may_stand_in = Membership.objects.filter(user=user, project=project, role__in=DECIDE)
        in_place = _open_to(absent, also=user) & _untouched_by(absent) & _untouched_by(user)
        waiting |= Q(project=project, project__in=may_stand_in.values("project")) & in_place
    return queryset.pending().filter(waiting)


def _open_to(user: Any, also: Any = None) -> Q:
    """By role, time and claim; `also`: somebody whose claim is in nobody's way."""
    memberships = Membership.objects.filter(user=user)
    mine = memberships.filter(role__in=DECIDE).values("project")
    owned = memberships.filter(role=Role.OWNER).values("project")
    role_decides = Q(deciding_roles=None)
    for role in DECIDE:
        projects = memberships.filter(role=role).values("project")
        role_decides |= Q(deciding_roles__contains=[role], project__in=projects)
    # After its time, an escalated request is for the owners.
    is_open = Q(expires_at=None) | Q(expires_at__gt=Now()) | Q(held_since__isnull=False)
    is_open |= Q(on_timeout=OnTimeout.ESCALATE, project__in=owned)
    is_free = Q(claimed_until=None) | Q(claimed_until__lte=Now()) | Q(claimed_by=user)
    if also is not None:
        is_free |= Q(claimed_by=also)
    return role_decides & is_open & is_free & Q(project__in=mine)


def _untouched_by(user: Any) -> Q:
    """They neither wrote of it nor have decided on it, themselves or by somebody who stood in."""
    own_content = RawSQL(OWN_CONTENT, [user.pk])  # noqa: S611 - a constant with a parameter
    own_decisions = Decision.objects.of_person(user).filter(request=OuterRef("pk"))
    return (
        ~Q(barred_authors__contains=[user.pk])
        & ~(Q(barred_authors=None) & Q(pk__in=own_content))
        & ~(Q(approvals__gt=0) & Q(Exists(own_decisions)))
    )


def inbox_items(user: Any) -> list[dict[str, Any]]:
    """What waits for the user over all their projects, the most pressing first."""
    waiting = waiting_for_me(HitlRequest.objects.all(), user)
    ordered = waiting.order_by(F("due_at").asc(nulls_last=True), "created_at", "id")
    items = []
    for row in ordered.values(*INBOX_FIELDS)[:INBOX_MAX]:
        # As the REST API writes times.
        times = {
            name: row[name].isoformat().replace("+00:00", "Z") if row[name] else None
            for name in ("created_at", "due_at", "expires_at")
        }
        item = {
            "request": str(row["id"]),
            "project": str(row["project"]),
            "project_name": row["project__name"],
            "kind": row["kind"],
            "title": row["title"],
        }
        items.append(item | times)
    return items


def loosenings_of(project: Project) -> QuerySet[Loosening]:
    """What one person alone loosened in its rules, oldest first."""
    marks = Loosening.objects.filter(project=project, status=LooseningStatus.UNCONFIRMED)
    return marks.select_related("proposed_by").order_by("created_at", "id")


def unconfirmed_loosenings(project: Project) -> list[dict[str, Any]]:
    """The same as it stands on a decision and in its event."""
    return [
        {
            "id": str(loosening.pk),
            "by": loosening.proposed_by_id,
            "at": loosening.decided_at.isoformat(),
            "changes": loosening.changes,
        }
        for loosening in loosenings_of(project)
    ]


def pending_loosening(project: Project) -> Loosening | None:
    """The proposal that waits for another owner."""
    rows = Loosening.objects.filter(project=project, status=LooseningStatus.PROPOSED)
    return rows.select_related("proposed_by").first()


def earlier_requests(request: HitlRequest) -> QuerySet[HitlRequest]:
    """About the same step, or the same task outside of a workflow; newest first."""
    requests = HitlRequest.objects.filter(
        project=request.project_id, created_at__lt=request.created_at
    )
    about: dict[str, Any] = {"step": request.step} if request.step else {"task": request.task_id}
    if request.agent_action_id is not None:
        about = {"agent_action__call_digest": request.agent_action.call_digest}
    return requests.filter(**about).order_by("-created_at", "-id")


def overdue(queryset: QuerySet[HitlRequest]) -> QuerySet[HitlRequest]:
    return queryset.pending().filter(due_at__lt=Now(), held_since=None)


def shown_versions(request: HitlRequest) -> list[ArtifactVersion]:
    """The versions that the request shows and that are there, in the order of the subject."""
    outputs = request.subject["outputs"]
    condition = Q(pk=None)
    for output in outputs:
        condition |= Q(artifact=output["artifact"], number=output["version"])
    rows = ArtifactVersion.objects.filter(condition).select_related("artifact", "author")
    versions = {(str(version.artifact_id), version.number): version for version in rows}
    keys = [(output["artifact"], output["version"]) for output in outputs]
    return [versions[key] for key in keys if key in versions]


def last_decided(request: HitlRequest, version: ArtifactVersion) -> ArtifactVersion | None:
    """What a person compares a shown version with: what stood before this request was opened.

    That is what the last decided request about the same step (or task) settled on, else what the
    work went on with before. Nothing is settled by a request that was superseded or cancelled.
    """
    artifact_id = version.artifact_id
    if version.number == 1:
        # Nothing comes before it, as for most of what is decided.
        return None
    # It showed the artifact, or had a person write it where the agent had made nothing.
    shows = Q(subject__outputs__contains=[{"artifact": str(artifact_id)}])
    decided = earlier_requests(request).filter(status__in=DECIDED)
    last = decided.filter(shows | Q(status=RequestStatus.AMENDED)).first()
    outputs = last.subject["outputs"] if last else []
    for place, output in enumerate(outputs):
        if output["artifact"] != str(artifact_id):
            continue
        number = output["version"]
        # An amendment is always the version after the first one that was shown. Where others still
        # have to approve the amendment, they compare it with what it changed.
        is_amended = place == 0 and last.status == RequestStatus.AMENDED
        if is_amended and number + 1 < version.number:
            number += 1
        settled = ArtifactVersion.objects.filter(artifact=artifact_id, number=number)
        return settled.filter(number__lt=version.number).first()
    return last_accepted_before(artifact_id, version.number)


def requests_changed_behind_us(project_id: UUID | None) -> Iterator[RowProblem]:
    """Whose subject is not what its digest is over. For verification: it reads all of them."""
    requests = HitlRequest.objects.filter(project__erased_at=None)
    if project_id is not None:
        requests = requests.filter(project=project_id)
    for request in requests.order_by("pk").iterator(chunk_size=500):
        if request.found_digest != request.subject_digest:
            problem = "what it shows does not have its digest"
            yield RowProblem(request.project_id, f"request {request.pk}", problem)
    decisions = Decision.objects.filter(content__isnull=False, request__project__erased_at=None)
    if project_id is not None:
        decisions = decisions.filter(request__project=project_id)
    events = Event.objects.annotate(decision=KT("data__decision")).filter(
        event_type=DECISION_RECORDED,
        hitl_request=OuterRef("request"),
        decision=Cast(OuterRef("pk"), CharField()),
    )
    digests = Subquery(events.values(digest=KT("data__content_digest"))[:1])
    decisions = decisions.select_related("request").annotate(logged=digests)
    for decision in decisions.order_by("pk").iterator(chunk_size=100):
        # Older releases recorded none.
        if decision.logged and digest_of(decision.content) != decision.logged:
            row = f"decision on request {decision.request_id}"
            yield RowProblem(decision.request.project_id, row, "it had another content")


def actions_changed_behind_us(project_id: UUID | None) -> Iterator[RowProblem]:
    """Calls that are not what their digest is over, and bounds that were other ones. For
    verification: it reads all of them."""
    actions = AgentAction.objects.filter(project__erased_at=None)
    rules = StandingApproval.objects.filter(project__erased_at=None)
    if project_id is not None:
        actions, rules = actions.filter(project=project_id), rules.filter(project=project_id)
    for action in actions.order_by("pk").iterator(chunk_size=500):
        if changed_call(action):
            problem = "its call does not have its digest"
            yield RowProblem(action.project_id, f"action {action.pk}", problem)
    given = Event.objects.annotate(rule=KT("data__rule")).filter(
        event_type=STANDING_APPROVAL_GIVEN,
        project=OuterRef("project"),
        rule=Cast(OuterRef("pk"), CharField()),
    )
    digests = Subquery(given.values(digest=KT("data__bounds_digest"))[:1])
    for rule in rules.annotate(logged=digests).order_by("pk").iterator(chunk_size=100):
        if rule.logged and digest_of(rule.bounds) != rule.logged:
            row = f"standing approval {rule.pk}"
            yield RowProblem(rule.project_id, row, "it had other bounds")
