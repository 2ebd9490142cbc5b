"""An erased project says nothing of what it held, and everything of what was done."""

from contextlib import contextmanager

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models, transaction

from agents.models import ModelExchange
from audit.actors import Actor
from audit.models import Event
from audit.verification import verify_stream
from context.models import ArtifactVersion
from context.services import upload_file
from core.errors import Conflict, Forbidden, NotFound
from core.models import IdempotencyKey
from hitl.models import Decision, HitlRequest
from hitl.services import add_comment, change_policy
from orchestrator.engine.document import document_of, sources_of
from orchestrator.engine.document_jobs import order
from orchestrator.engine.erasure import BLANKED, DROPPED, KEPT, erase_project
from orchestrator.models import ImportedFile, ProjectImport
from projects.credentials import create_credential, find_credential
from projects.models import Project
from projects.services import add_member, cancel_project, update_project
from tests.fixtures import make_user
from tests.isolation.routes import routes
from tests.isolation.test_admin import OF_ONE, url_of
from tests.isolation.things import Things, our_models, path_to_project
from tests.scenes import decide_as, release, stop

pytestmark = pytest.mark.django_db

SECRET = "Wintermute"
# Fields that can hold no words; whatever else there is has to be decided upon.
WORDLESS = (
    *(models.ForeignKey, models.UUIDField, models.AutoField, models.IntegerField),
    *(models.BooleanField, models.DateTimeField),
)
EVENT_COLUMNS = ("sequence", "hash", "payload_hash", "previous_hash", "actor", "event_type")


@pytest.fixture
def things(make_project) -> Things:
    return Things(make_project(name=f"{SECRET} Ltd", brief=f"# {SECRET}\n\nLend books."))


@pytest.fixture
def full(things, owner, approver):
    """A project with a row in every table that holds words, made by the services."""
    project, actor = things.project, Actor.of_user(owner)
    text = f"# {SECRET}\n\n- REQ-1 Lend books."
    upload_file(actor=actor, project_id=project.pk, name="a.md", data=text.encode())
    chapters = "\n".join(f"# Chapter {n}\n\n{'word ' * 200}" for n in range(50))
    upload_file(actor=actor, project_id=project.pk, name="long.md", data=chapters.encode())
    request = HitlRequest.objects.pending().get(project=project, kind="plan_approval")
    add_comment(request_id=request.pk, actor=actor, text=SECRET)
    decide_as(approver, request, "amend", comment=SECRET)
    change_policy(project_id=project.pk, actor=actor, due_after=3600)
    document_of(sources_of(project), "markdown")
    order(sources_of(project), "pdf")
    stop(owner, project_id=project.pk, agent_type="tester", reason=SECRET)
    release(owner, project_id=project.pk, agent_type="tester", reason=SECRET)
    origin = ProjectImport.objects.create(
        project=project,
        imported_by=owner,
        origin_project="x",
        origin_name=SECRET,
        origin_status="completed",
        archive_sha256="0" * 64,
        trail_events=0,
    )
    said = {"task": request.task_id, "fence": 1, "provider": "x", "model": "y"}
    ModelExchange.objects.create(project=project, request=SECRET, **said)
    ImportedFile.objects.create(origin=origin, path="imported/x", sha256="", body=b"")
    return things


@pytest.fixture
def finished(things, owner):
    cancel_project(project_id=things.project.pk, actor=Actor.of_user(owner), reason=SECRET)
    return things


@pytest.fixture
def erased(finished, owner):
    erase(finished, owner)
    return finished


def erase(things, user):
    return erase_project(
        project_id=things.project.pk, actor=Actor.of_user(user), reason="They asked for it."
    )


def everything_of(project):
    """All that the database holds of it, as text."""
    found = []
    for model in our_models():
        path = path_to_project(model)
        if path:
            found += model._base_manager.filter(**{path: project}).values_list()
    found += Event.objects.filter(project=project.pk).values_list()
    return repr([*found, *Project.objects.filter(pk=project.pk).values_list()])


def test_what_was_said_is_nowhere_any_more(finished, owner):
    before = everything_of(finished.project)
    erase(finished, owner)
    after = everything_of(finished.project)

    for word in (SECRET, "A plan of the run", "Compare two catalogues", "Fine."):
        assert word in before
        assert word not in after


@pytest.mark.administrator
def test_every_text_of_every_table_is_gone_whatever_stood_in_it(full, owner):
    """Derived from the models: each field that is to be erased holds a word of its own."""
    project, filled = full.project, 0
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner), reason=SECRET)
    for label, (path, fields) in BLANKED.items():
        model = apps.get_model(label)
        rows = model._base_manager.filter(**{path: project})
        assert rows.exists(), f"The project has no row in {label}: add one to `full`."
        with past_the_triggers(model._meta.db_table):
            for name, blank in fields.items():
                word, empty = {"word": ["Neuromancer"]}, {f"{name}__isnull": True}
                if isinstance(blank, str):
                    word, empty = "Neuromancer", {name: ""}
                filled += rows.exclude(**empty).update(**{name: word})
    for label, path in DROPPED.items():
        rows = apps.get_model(label)._base_manager.filter(**{path: project})
        assert rows.exists(), f"The project has no row in {label}: add one to `full`."
    assert everything_of(project).count("Neuromancer") >= filled

    erase(full, owner)

    assert "Neuromancer" not in everything_of(project)
    assert SECRET not in everything_of(project)


@contextmanager
def past_the_triggers(table):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_credentials_of_an_erased_project_are_revoked(finished, owner):
    actor, project = Actor.of_user(owner), finished.project
    second = {"name": "billing", "scopes": ["read"]}
    _, token = create_credential(project_id=project.pk, actor=actor, **second)

    erase(finished, owner)

    assert find_credential(token) is None
    assert set(project.credentials.values_list("name", flat=True)) == {"[erased]"}
    assert "billing" not in everything_of(project)
    assert verify_stream(project.pk).valid


def test_what_was_done_stays_and_the_chain_holds(finished, owner):
    id = finished.project.pk
    before = list(Event.objects.filter(project=id).values_list(*EVENT_COLUMNS))
    hashes = list(ArtifactVersion.objects.order_by("pk").values_list("sha256", flat=True))
    erase(finished, owner)

    events = Event.objects.filter(project=id).order_by("sequence")
    assert list(events.values_list(*EVENT_COLUMNS))[: len(before)] == before
    assert events[len(before)].event_type == "credential_revoked"
    assert {str(event.data) for event in list(events)[:-1]} == {"{'erased': True}"}
    last = events.last()
    assert (last.event_type, last.data["reason"]) == ("project_erased", "They asked for it.")
    erased = len(before) + 1
    assert last.data["erased_events"] == erased
    result = verify_stream(id)
    assert (result.valid, result.events, result.erased) == (True, erased + 1, erased)
    assert list(ArtifactVersion.objects.order_by("pk").values_list("sha256", flat=True)) == hashes
    assert Decision.objects.get().decided_by == owner


def test_every_text_that_a_project_can_hold_is_either_erased_or_kept_on_purpose():
    for model in our_models():
        label = model._meta.label
        if path_to_project(model) is None or label in DROPPED:
            continue
        texts = {
            field.name
            for field in model._meta.concrete_fields
            if not isinstance(field, WORDLESS) and not field.choices
        }
        blanked = set(BLANKED.get(label, ("", {}))[1])
        assert texts == blanked | KEPT.get(label, set()), label


def test_every_page_of_it_can_still_be_asked_for(erased, owner, client_of, subtests):
    client = client_of(owner)

    for route in routes():
        if route.path.startswith("/api/v1/") and route.places and "get" in route.methods:
            if route.path.endswith(("/stream/", "/origin/")):
                continue  # The one needs a server, the other is of imported projects only.
            with subtests.test(route.path):
                response = client.get(route.filled(erased), {"project": str(erased.project.pk)})
                body = b"".join(response) if response.streaming else response.content

                assert response.status_code < 500, body
                assert SECRET not in body.decode("latin-1")


def test_every_page_of_the_admin_can_still_be_opened(erased, staff, client, subtests):
    client.force_login(staff)

    for model, path in OF_ONE:
        if model._meta.label in DROPPED:
            continue
        with subtests.test(model.__name__, path=path):
            response = client.get(url_of(model, path, erased, erased.id_of(model)), follow=True)

            assert response.status_code in (200, 403, 404, 405)
            assert SECRET not in response.content.decode()


def test_a_tombstone_cannot_change_any_more(erased, owner, viewer):
    actor, id = Actor.of_user(owner), erased.project.pk

    for change in (
        lambda: update_project(project_id=id, actor=actor, name="Back"),
        lambda: add_member(project_id=id, actor=actor, user=viewer, role="owner"),
        lambda: erase(erased, owner),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "erased"


def test_what_is_running_is_not_erased(things, owner):
    with pytest.raises(Conflict) as refused:
        erase(things, owner)

    assert refused.value.code == "invalid_transition"
    assert Project.objects.get(pk=things.project.pk).erased_at is None


def test_only_an_owner_or_a_superuser_erases(finished, viewer, outsider, staff):
    with pytest.raises(Forbidden):
        erase(finished, viewer)
    with pytest.raises(NotFound):
        erase(finished, outsider)

    assert erase(finished, staff).erased_at is not None


def test_over_rest_it_takes_a_reason(finished, owner, client_of):
    path, api = f"/api/v1/projects/{finished.project.pk}/erase/", client_of(owner)

    assert api.post(path, {"reason": " "}).status_code == 400
    answer = api.post(path, {"reason": "A request of 3 May."})

    assert answer.status_code == 200
    assert answer.json()["name"] == "Erased project"
    assert answer.json()["erased_at"]
    assert api.post(path, {"reason": "Again."}).json()["code"] == "erased"


def test_an_answer_that_was_kept_for_repeats_goes_too(things, owner, client_of):
    api, path = client_of(owner), f"/api/v1/projects/{things.project.pk}/cancel/"
    api.post(path, {"reason": SECRET}, headers={"Idempotency-Key": "once"})
    assert SECRET in str(IdempotencyKey.objects.get().body)

    erase(things, owner)

    assert not IdempotencyKey.objects.exists()


def test_on_a_terminal(finished, capsys):
    id = str(finished.project.pk)
    make_user("stranger")
    with pytest.raises(CommandError, match="may not see"):
        call_command("erase_project", id, "--reason", "x", "--yes", "--user", "stranger")

    call_command("erase_project", id, "--reason", "They asked.", "--yes", "--user", "owner")
    call_command("verify_audit", id)

    assert "of them erased" in capsys.readouterr().out


def test_the_database_lets_nobody_erase_what_is_not_to_be_erased(finished, subtests):
    for statement in (
        "UPDATE event_log SET data = '{\"erased\": true}', salt = ''",
        "UPDATE context_artifact_versions SET content = '{\"erased\": true}', comment = ''",
        "UPDATE hitl_decisions SET comment = '[erased]'",
        "UPDATE event_streams SET erased_through = sequence + 1",
    ):
        with subtests.test(statement):
            refused_by_the_database(statement)


def test_nor_anything_else_of_what_was_erased(erased, subtests):
    for statement in (
        "UPDATE event_log SET data = '{}'",
        "UPDATE event_log SET actor = 'user:0'",
        "UPDATE event_log SET data = '{\"erased\": true}', salt = '', actor = 'user:0'",
        "UPDATE event_log SET data = '{\"erased\": true}', salt = '' WHERE salt <> ''",
        "DELETE FROM event_log",
        "UPDATE event_streams SET erased_through = 0",
        "UPDATE context_artifact_versions SET content = '{}'",
        "UPDATE context_artifact_versions SET sha256 = 'x', content = '{\"erased\": true}'",
        "UPDATE hitl_decisions SET action = 'reject'",
        "UPDATE hitl_decisions SET comment = 'Never mind.'",
        "UPDATE projects SET erased_at = NULL",
        "UPDATE projects SET name = 'Back'",
    ):
        with subtests.test(statement):
            refused_by_the_database(statement)


def refused_by_the_database(statement):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.administrator
def test_data_that_vanished_without_a_record_breaks_the_chain(finished):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE event_log DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE event_log SET data = '{\"erased\": true}', salt = '' WHERE sequence = 3"
        )
        cursor.execute("ALTER TABLE event_log ENABLE TRIGGER USER")

    result = verify_stream(finished.project.pk)

    assert (result.valid, result.first_broken_sequence) == (False, 3)
