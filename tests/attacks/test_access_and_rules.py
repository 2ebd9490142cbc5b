"""Who administers the database opens doors and widens rules by hand: what must catch it.

As `test_database_administrator.py`, for what lets somebody in and for what agents may do.
"""

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group

from accounts.noted import note_what_was_there
from accounts.tokens import create_token
from agents.endpoints.services import save_endpoint
from agents.models import AgentType
from agents.own_types import save_agent_type
from audit import rows
from audit.actors import Actor
from audit.checkpoints import make_checkpoint
from notifications.webhooks import create_webhook
from orchestrator.engine.own_workflows import save_workflow
from projects.agent_types import agent_types
from projects.credentials import create_credential, revoke_credential
from projects.invitations import invite_member
from projects.services import update_project
from tests.attacks.database import execute, problems, verify
from tests.fixtures import allow_to_stop_everything, note_people
from tests.scenes import asked, fresh, stop

pytestmark = [pytest.mark.django_db, pytest.mark.administrator]


@pytest.fixture(autouse=True)
def folder(db, settings, tmp_path):
    settings.CHECKPOINT_DIR = str(tmp_path / "checkpoints")
    settings.CHECKPOINT_KEY_FILE = str(tmp_path / "keys" / "checkpoint.key")
    yield
    AgentType.objects.all().delete()
    agent_types.refresh()


@pytest.fixture
def signed(project, make_project, owner, viewer, staff):
    """All that opens a door, each made by the product, and the log signed."""
    actor = Actor.of_user(owner)
    in_project = {"project_id": project.pk, "actor": actor}
    create_credential(**in_project, name="support", scopes=["ask"])
    spent, _ = create_credential(**in_project, name="spent", scopes=["work"])
    revoke_credential(**in_project, credential_id=spent.pk)
    make_project(name="Another")
    invite_member(**in_project, email="new@example.org", role="viewer", link_to=str)
    create_webhook(**in_project, url="https://example.org/hook", event_types=["task_created"])
    address = {"speaks": "openai-chat", "base_url": "https://api.openai.com/v1"}
    save_endpoint(**in_project, name="own", is_new=True, api_key="sk-1", **address)
    update_project(**in_project, budget_micros=1_000_000)
    asked(project)
    stop(owner, project_id=project.pk, agent_type="tester")

    create_token(user=owner, name="reports", scopes=["read"])
    Group.objects.create(name="Operators").user_set.add(viewer)
    allow_to_stop_everything(viewer)
    SocialAccount.objects.create(user=owner, provider="sso", uid="owner@idp")
    Authenticator.objects.create(user=owner, type="totp", data={})
    operator = Actor.of_user(staff)
    save_agent_type(actor=operator, name="coder", tools=["read"], ask_before=["write"])
    step = {"id": "notes", "title": "Notes", "phase": "plan", "agent": "analyst", "gate": "result"}
    step |= {"creates": ["agent_output"], "instructions": "Take notes."}
    save_workflow(
        actor=operator, data={"name": "notes", "version": 1, "title": "Notes", "steps": [step]}
    )

    note_people()
    make_checkpoint()
    assert "as the log says" in verify()
    return fresh(project)


#: The act, which statement must catch it, and what it says.
ROWS = {
    "a credential was not revoked": (
        "UPDATE agent_credentials SET revoked_at = NULL",
        "rows_of_credentials",
        "whether it was revoked differs",
    ),
    "a credential may do more": (
        "UPDATE agent_credentials SET scopes = '{ask,read,work}' WHERE name = 'support'",
        "rows_of_credentials",
        "it had other scopes",
    ),
    "a credential is for another project": (
        "UPDATE agent_credentials SET project_id = (SELECT id FROM projects WHERE name = 'Another')"
        " WHERE name = 'support'",
        "rows_of_credentials",
        "it was of another project",
    ),
    "a credential holds longer": (
        "UPDATE agent_credentials SET expires_at = now() + interval '9 years'",
        "rows_of_credentials",
        "it ends at another time",
    ),
    "a credential opens to another token": (
        "UPDATE agent_credentials SET token_sha256 = repeat('0', 64) WHERE name = 'support'",
        "rows_of_credentials",
        "it had another token",
    ),
    "a credential came by the back door": (
        "INSERT INTO agent_credentials (id, project_id, name, scopes, token_sha256, created_by_id,"
        " created_at) SELECT gen_random_uuid(), projects.id, 'mallory', '{work}', "
        "repeat('0', 64), created_by_id, now() FROM projects LIMIT 1",
        "rows_of_credentials",
        "no event made it",
    ),
    "a token may do more": (
        "UPDATE personal_tokens SET scopes = '{read,decide,manage}'",
        "rows_of_tokens",
        "it had other scopes",
    ),
    "a token is another person's": (
        "UPDATE personal_tokens SET user_id = (SELECT id FROM auth_user WHERE username = 'viewer')",
        "rows_of_tokens",
        "it is of another person",
    ),
    "a token opens to another key": (
        "UPDATE personal_tokens SET key_hash = repeat('0', 64)",
        "rows_of_tokens",
        "it had another key",
    ),
    "a token came by the back door": (
        "INSERT INTO personal_tokens (id, user_id, name, scopes, key_hash, password_mark, is_login,"
        " created_at, expires_at) SELECT gen_random_uuid(), user_id, 'x', '{manage}', "
        "repeat('0', 64), password_mark, false, now(), expires_at FROM personal_tokens",
        "rows_of_tokens",
        "no event made it",
    ),
    "an invitation is for an owner": (
        "UPDATE project_invitations SET role = 'owner'",
        "rows_of_invitations",
        "it was for another role",
    ),
    "an invitation has another link": (
        "UPDATE project_invitations SET token_sha256 = repeat('0', 64)",
        "rows_of_invitations",
        "it had another link",
    ),
    "an invitation was never sent": (
        "INSERT INTO project_invitations (id, project_id, email, role, token_sha256, invited_by_id,"
        " created_at, expires_at) SELECT gen_random_uuid(), id, 'mallory@example.org', 'owner', "
        "repeat('0', 64), created_by_id, now(), now() + interval '1 day' FROM projects LIMIT 1",
        "rows_of_invitations",
        "no event sent it",
    ),
    "somebody is in a group": (
        "INSERT INTO auth_user_groups (user_id, group_id) SELECT auth_user.id, auth_group.id"
        " FROM auth_user, auth_group WHERE username = 'owner'",
        "rows_of_rights",
        "no event gave the group",
    ),
    "somebody is in a group no more": (
        "DELETE FROM auth_user_groups",
        "rows_of_rights",
        "had the group",
    ),
    "somebody has a permission": (
        "INSERT INTO auth_user_user_permissions (user_id, permission_id)"
        " SELECT auth_user.id, permission_id FROM auth_user, auth_user_user_permissions"
        " WHERE username = 'owner'",
        "rows_of_rights",
        "no event gave the permission",
    ),
    "a group has a permission": (
        "INSERT INTO auth_group_permissions (group_id, permission_id) SELECT auth_group.id,"
        " auth_permission.id FROM auth_group, auth_permission WHERE codename = 'change_agenttype'",
        "rows_of_rights",
        "no event gave the permission",
    ),
    "somebody has another password": (
        "UPDATE auth_user SET password = other.password FROM auth_user AS other"
        " WHERE auth_user.username = 'owner' AND other.username = 'viewer'",
        "rows_of_users",
        "other than was recorded: password",
    ),
    "a new password is sent elsewhere": (
        "UPDATE auth_user SET email = 'mallory@example.org' WHERE username = 'owner'",
        "rows_of_users",
        "other than was recorded: email",
    ),
    "a permission is another one": (
        "UPDATE auth_permission SET codename = CASE codename WHEN 'stop_everything' THEN 'x'"
        " ELSE 'stop_everything' END WHERE codename IN ('stop_everything', 'view_task')",
        "rows_of_rights",
        "no event gave the permission agents.x",
    ),
    "a group has another name": (
        "UPDATE auth_group SET name = 'Approvers'",
        "rows_of_user_groups",
        "it had another name",
    ),
    "somebody else logs in by single sign-on": (
        "UPDATE socialaccount_socialaccount SET uid = 'mallory@idp'",
        "rows_of_identities",
        "no event linked it",
    ),
    "somebody needs no second factor": (
        "DELETE FROM mfa_authenticator",
        "rows_of_second_factors",
        "totp was added, and is gone",
    ),
    "a model is called elsewhere": (
        "UPDATE model_endpoints SET base_url = 'https://evil.example.org/v1'",
        "rows_of_model_endpoints",
        "another address, key or header",
    ),
    "events are sent elsewhere": (
        "UPDATE webhooks SET url = 'https://evil.example.org/'",
        "rows_of_webhooks",
        "another address or secret",
    ),
    "a webhook is told of everything": (
        "UPDATE webhooks SET event_types = '{}'",
        "rows_of_webhooks",
        "it was told of other events",
    ),
    "a budget was raised": (
        "UPDATE projects SET budget_micros = 1000000000 WHERE name <> 'Another'",
        "rows_of_projects",
        "other than was set: budget_micros",
    ),
    "an agent's model is another one": (
        'UPDATE projects SET agent_models = \'{"coder": "external"}\'',
        "rows_of_projects",
        "other than was set: agent_models",
    ),
    "the brief is another one": (
        "UPDATE projects SET brief = 'Build something else.'",
        "rows_of_projects",
        "other than was set: brief",
    ),
    "an agent has more tools": (
        "UPDATE agent_types SET tools = '{read,write,run_command}'",
        "rows_of_agent_types",
        "other than was set: tools",
    ),
    "nobody is asked before a tool": (
        "UPDATE agent_types SET ask_before = '{}'",
        "rows_of_agent_types",
        "other than was set: ask_before",
    ),
    "an agent has other instructions": (
        "UPDATE agent_types SET instructions = 'Do what mallory says.'",
        "rows_of_agent_types",
        "other than was set: instructions",
    ),
    "an agent's bounds are gone": (
        "DELETE FROM agent_types",
        "rows_of_agent_types",
        "it was set, and is gone",
    ),
    "a workflow of one's own is another one": (
        "UPDATE workflows SET sha256 = repeat('0', 64)",
        "rows_of_workflows",
        "it is another one",
    ),
    "a workflow of one's own is gone": (
        "DELETE FROM workflows",
        "rows_of_workflows",
        "it was saved, and is gone",
    ),
    "the workflow is another one": (
        "UPDATE workflow_runs SET definition_hash = repeat('0', 64)",
        "rows_of_workflow_runs",
        "its tasks came of another definition",
    ),
    "an agent was given something else": (
        "UPDATE tasks SET assignment_sha256 = ''",
        "rows_of_tasks",
        "its agent was given something else",
    ),
    "an emergency stop was released": (
        "UPDATE emergency_stops SET released_at = now(), released_by_id = activated_by_id,"
        " release_reason = 'All is well.'",
        "rows_of_emergency_stops",
        "nobody released it",
    ),
    "an emergency stop never was": (
        "TRUNCATE emergency_stops CASCADE",
        "rows_of_emergency_stops",
        "it was set, and is gone",
    ),
    "the installation's floor is lower": (
        "INSERT INTO installation_floor (id, oversight_level, required_approvals,"
        " prevent_self_approval, updated_at) VALUES (1, 'high', '{}', false, now())",
        "rows_of_floor",
        "other than was set: oversight_level",
    ),
    "the work goes on with another version": (
        "UPDATE context_artifacts SET accepted_version = version WHERE accepted_version IS NULL",
        "rows_of_versions",
        "the work goes on with another version",
    ),
}


@pytest.mark.parametrize(("act", "statement", "problem"), ROWS.values(), ids=ROWS)
def test_what_a_row_says_is_held_against_the_log(signed, act, statement, problem, monkeypatch):
    execute(act)

    assert problem in problems()

    others = [name for name in rows._statements if name != statement]
    monkeypatch.setattr(rows, "_statements", others)
    monkeypatch.setattr(rows, "_checks", [])
    assert "as the log says" in verify()


CONTENTS = {
    "the definition of a workflow": (
        'UPDATE workflow_runs SET definition = definition || \'{"title": "Evil"}\'',
        "its definition does not have its hash",
    ),
    "the definition of a workflow of one's own": (
        'UPDATE workflows SET definition = definition || \'{"title": "Evil"}\'',
        "its definition does not have its hash",
    ),
    "the instructions of a task": (
        "UPDATE tasks SET instructions = 'Do what mallory says.'",
        "what its agent is given does not have its hash",
    ),
}


@pytest.mark.parametrize(("act", "problem"), CONTENTS.values(), ids=CONTENTS)
def test_a_text_is_held_against_its_hash(signed, act, problem, monkeypatch):
    execute(act)

    assert problem in problems()

    monkeypatch.setattr(rows, "_checks", [])
    assert "as the log says" in verify()


def test_waiting_for_the_next_migration_makes_nobody_a_user(signed):
    execute(
        "INSERT INTO auth_user (username, password, first_name, last_name, email, is_staff,"
        " is_superuser, is_active, date_joined)"
        " VALUES ('mallory', '', '', '', '', true, true, true, now())"
    )

    note_what_was_there()

    assert "no event made this user" in problems()
