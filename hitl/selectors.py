"""Reads of requests: what waits for whom, what is shown, and how people decide."""

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from context.models import ArtifactVersion
from context.selectors import last_accepted_before
from hitl.enums import OnTimeout, RequestStatus
from hitl.models import Decision, HitlRequest
from projects.access import DECIDE
from projects.enums import Role
from projects.models import Membership

# As `barred_authors`, for what an older release opened without looking it up.
OWN_CONTENT = """
    SELECT request.id FROM hitl_requests AS request
    CROSS JOIN LATERAL jsonb_array_elements(request.subject -> 'outputs') AS shown
    JOIN context_artifact_versions AS version
      ON version.artifact_id = (shown ->> 'artifact')::uuid
     AND version.number = (shown ->> 'version')::int
    WHERE request.status = 'pending' AND version.author_id = %s
"""
DECIDED = (
    RequestStatus.APPROVED,
    RequestStatus.AMENDED,
    RequestStatus.REJECTED,
    RequestStatus.CHANGES_REQUESTED,
)


def requests_for(user: Any) -> QuerySet[HitlRequest]:
    """What the user may see, newest first."""
    related = ("project", "task", "claimed_by")
    requests = HitlRequest.objects.visible_to(user).select_related(*related)
    decisions = Prefetch("decisions", Decision.objects.select_related("decided_by"))
    return requests.prefetch_related(decisions).order_by("-created_at", "-id")


def request_list_for(user: Any) -> QuerySet[HitlRequest]:
    """As `requests_for`, with no more than a list shows."""
    return (
        HitlRequest.objects.visible_to(user)
        .select_related("project", "claimed_by")
        .defer("project__brief")
        .order_by("-created_at", "-id")
    )


def waiting_for_me(queryset: QuerySet[HitlRequest], user: Any) -> QuerySet[HitlRequest]:
    """Pending requests on which the user may decide, by the rules of `hitl.rules.can_decide`."""
    mine = Membership.objects.filter(user=user, role__in=DECIDE).values("project")
    pending = queryset.pending().filter(project__in=mine)
    return (
        pending.filter(_asks_a_role_of(user), _is_in_time_for(user), _is_free_for(user))
        .exclude(barred_authors__contains=[user.pk])
        .exclude(_is_own_content(user))
        .exclude(_has_voted(user))
    )


def _in_role(user: Any, role: Role) -> Q:
    return Q(project__in=Membership.objects.filter(user=user, role=role).values("project"))


def _asks_a_role_of(user: Any) -> Q:
    named = Q(deciding_roles=None)
    for role in DECIDE:
        named |= Q(deciding_roles__contains=[role]) & _in_role(user, role)
    return named


def _is_in_time_for(user: Any) -> Q:
    runs = Q(expires_at=None) | Q(expires_at__gt=Now()) | Q(held_since__isnull=False)
    return runs | (Q(on_timeout=OnTimeout.ESCALATE) & _in_role(user, Role.OWNER))


def _is_free_for(user: Any) -> Q:
    return Q(claimed_until=None) | Q(claimed_until__lte=Now()) | Q(claimed_by=user)


def _is_own_content(user: Any) -> Q:
    own = RawSQL(OWN_CONTENT, [user.pk])  # noqa: S611 - a constant with a parameter
    return Q(barred_authors=None) & Q(pk__in=own)


def _has_voted(user: Any) -> Q:
    own = Decision.objects.filter(request=OuterRef("pk"), decided_by=user)
    return Q(approvals__gt=0) & Q(Exists(own))


def asked_before(request: HitlRequest) -> QuerySet[HitlRequest]:
    """What was asked earlier about the same step, or the same task on its own; newest first."""
    asked = HitlRequest.objects.filter(
        project=request.project_id, created_at__lt=request.created_at
    )
    asked = asked.filter(step=request.step) if request.step else asked.filter(task=request.task_id)
    return asked.order_by("-created_at", "-id")


def overdue(queryset: QuerySet[HitlRequest]) -> QuerySet[HitlRequest]:
    return queryset.pending().filter(due_at__lt=Now(), held_since=None)


def shown_versions(request: HitlRequest) -> list[ArtifactVersion]:
    """The versions that the request shows, in the order of the subject."""
    outputs = request.subject["outputs"]
    wanted = Q(pk=None)
    for output in outputs:
        wanted |= Q(artifact=output["artifact"], number=output["version"])
    found = ArtifactVersion.objects.filter(wanted).select_related("artifact", "author")
    versions = {(str(v.artifact_id), v.number): v for v in found}
    return [versions[(output["artifact"], output["version"])] for output in outputs]


def last_decided(request: HitlRequest, version: ArtifactVersion) -> ArtifactVersion | None:
    """What a person compares a shown version with: what stood before this request was opened.

    That is what the last decided request about the same step (or task) settled on, else what the
    work went on with before. Nothing is settled by a request that was superseded or cancelled.
    """
    last = _decided_before(request, version.artifact_id)
    number = _settled_number(last, version) if last else None
    if number is None:
        return last_accepted_before(version.artifact_id, version.number)
    earlier = ArtifactVersion.objects.filter(artifact=version.artifact_id, number=number)
    return earlier.filter(number__lt=version.number).first()


def _decided_before(request: HitlRequest, artifact_id: UUID) -> HitlRequest | None:
    """Of those that showed the artifact, or had it written by hand where there was nothing."""
    shows = Q(subject__outputs__contains=[{"artifact": str(artifact_id)}])
    decided = asked_before(request).filter(status__in=DECIDED)
    return decided.filter(shows | Q(status=RequestStatus.AMENDED)).first()


def _settled_number(request: HitlRequest, version: ArtifactVersion) -> int | None:
    """An amendment is always the version after the first one that was shown.

    Where others are still asked about the amendment, they compare it with what it changed.
    """
    for place, output in enumerate(request.subject["outputs"]):
        if output["artifact"] == str(version.artifact_id):
            shown = output["version"]
            is_amended = place == 0 and request.status == RequestStatus.AMENDED
            return shown + 1 if is_amended and shown + 1 < version.number else shown
    return None
