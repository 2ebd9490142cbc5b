"""Drives a project and an action with the client that openapi-python-client makes."""

import io
import os
import time
import zipfile
from typing import Any

from paraph_api import AuthenticatedClient
from paraph_api.api.actions import actions_claim, actions_outcome, projects_actions_ask
from paraph_api.api.artifacts import artifacts_list, artifacts_retrieve
from paraph_api.api.credentials import projects_credentials_create
from paraph_api.api.hitl import hitl_requests_decide, hitl_requests_list
from paraph_api.api.members import projects_members_create
from paraph_api.api.projects import projects_create, projects_export, projects_progress_retrieve
from paraph_api.models import (
    ActionClaimInputRequest,
    ActionInputRequest,
    ActionInputRequestArguments,
    ActionOutcomeEnum,
    AgentInputRequest,
    ArtifactsListArtifactType,
    CredentialInputRequest,
    CredentialScopeEnum,
    DecisionActionEnum,
    DecisionInputRequest,
    HitlRequestsListStatus,
    MemberInputRequest,
    OutcomeInputRequest,
    ProjectInputRequest,
    ProjectPlanArtifactDetail,
    ProjectPlanContent,
    RoleEnum,
    ToolInputRequest,
)

URL = os.environ["PARAPH_URL"]
BRIEF = "Members of a club lend tents. Staff must be able to add tents and to list late loans."
PATIENCE_SECONDS = 240


def main() -> None:
    owner, approver = login("PARAPH_OWNER"), login("PARAPH_APPROVER")
    project = new_project(owner, ProjectInputRequest(name="Tents", brief=BRIEF))
    began = time.monotonic()
    while done(projects_progress_retrieve, project.id, client=owner).status != "completed":
        assert time.monotonic() - began < PATIENCE_SECONDS
        approve_all(approver, project.id)
        time.sleep(0.2)
    read_plan(owner, project.id)
    export = done(projects_export, project.id, client=owner)
    names = zipfile.ZipFile(io.BytesIO(export.payload.read())).namelist()
    assert "manifest.json" in names

    home = ProjectInputRequest(name="Refunds", brief="Agents ask here.", workflow="none")
    act(owner, approver, new_project(owner, home).id)


def login(variable: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=URL, token=os.environ[variable], prefix="Token")


def done(operation: Any, *places: Any, code: int = 200, **sent: Any) -> Any:
    """What the server says, in the types of the client."""
    answer = operation.sync_detailed(*places, **sent)
    assert answer.status_code == code, (operation.__name__, answer.content)
    return answer.parsed


def new_project(owner: AuthenticatedClient, body: ProjectInputRequest) -> Any:
    project = done(projects_create, client=owner, body=body, code=201)
    member = MemberInputRequest(user="approver", role=RoleEnum.APPROVER)
    done(projects_members_create, project.id, client=owner, body=member, code=201)
    return project


def approve_all(approver: AuthenticatedClient, project: Any) -> None:
    status = HitlRequestsListStatus.PENDING
    for request in done(
        hitl_requests_list, client=approver, project=project, status=status
    ).results:
        body = DecisionInputRequest(
            action=DecisionActionEnum.APPROVE, subject_digest=request.subject_digest
        )
        done(hitl_requests_decide, request.id, client=approver, body=body, code=201)


def read_plan(owner: AuthenticatedClient, project: Any) -> None:
    """The content of an artifact comes in the type of its kind."""
    kind = ArtifactsListArtifactType.PROJECT_PLAN
    plans = done(artifacts_list, client=owner, project=project, artifact_type=kind)
    plan = done(artifacts_retrieve, plans.results[0].id, client=owner)
    assert isinstance(plan, ProjectPlanArtifactDetail)
    assert plan.artifact_type == "project_plan"
    assert isinstance(plan.content, ProjectPlanContent)
    assert plan.content.title


def act(owner: AuthenticatedClient, approver: AuthenticatedClient, project: Any) -> None:
    body = CredentialInputRequest(name="support", scopes=[CredentialScopeEnum.ASK])
    credential = done(projects_credentials_create, project, client=owner, body=body, code=201)
    agent = AuthenticatedClient(base_url=URL, token=credential.token)
    arguments = ActionInputRequestArguments.from_dict({"order": "1234", "amount": 12.5})
    body = ActionInputRequest(
        tool=ToolInputRequest(name="refund"),
        arguments=arguments,
        agent=AgentInputRequest(name="support"),
    )
    sent = {"client": agent, "body": body, "idempotency_key": "refund-1234"}
    action = done(projects_actions_ask, project, code=202, **sent)
    approve_all(approver, project)
    body = ActionClaimInputRequest(action_digest=action.action_digest)
    claim = done(actions_claim, action.id, client=agent, body=body)
    assert claim.arguments.to_dict() == arguments.to_dict()
    body = OutcomeInputRequest(
        fence=claim.fence, status=ActionOutcomeEnum.SUCCEEDED, result={"refund": "r-9"}
    )
    assert done(actions_outcome, action.id, client=agent, body=body).status == "succeeded"


main()
