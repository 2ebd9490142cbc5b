import hashlib
import io
import json
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import example, given
from hypothesis import strategies as st

from audit.actors import Actor
from audit.models import Event
from audit.verification import verify_stream
from context.models import Artifact, ArtifactVersion
from core.errors import InvalidInput
from orchestrator.engine.definition import definition_hash, load_definition
from orchestrator.engine.export import export_files, write_export
from orchestrator.engine.imports import archive as archives
from orchestrator.engine.imports.archive import open_archive
from orchestrator.engine.imports.trail import verify_trail
from orchestrator.models import ImportedFile, ProjectImport
from projects.models import Project
from projects.services import start_project
from tests.fixtures import library_of, make_user
from tests.scenes import advance, asked

pytestmark = pytest.mark.django_db

URL = "/api/v1/projects/import/"


@pytest.fixture(scope="module")
def export(django_db_setup, django_db_blocker):
    """Of a project under way, which is gone again: as another installation made it."""
    with django_db_blocker.unblock(), transaction.atomic():
        project = library_of(*map(make_user, ("owner", "approver", "viewer")))
        asked(project)
        made = dict(export_files(project))
        transaction.set_rollback(True)
    return project, made


@pytest.fixture
def files(export):
    """By path."""
    return dict(export[1])


@pytest.fixture
def original(project):
    """A project under way that is here."""
    asked(project)
    return project


def zipped(files, **changes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in (files | changes).items():
            archive.writestr(path, data)
    return target.getvalue()


def relisted(files, **manifest) -> dict[str, bytes]:
    """The same files with a manifest that fits them."""
    stated = json.loads(files["manifest.json"]) | manifest
    for file in stated["files"]:
        file["sha256"] = hashlib.sha256(files.get(file["path"], b"")).hexdigest()
    return files | {"manifest.json": json.dumps(stated).encode()}


@pytest.fixture
def send(outsider, client_of):
    def post(data, **fields):
        file = SimpleUploadedFile("export.zip", data, "application/zip")
        return client_of(outsider).post(URL, {"file": file} | fields, format="multipart")

    return post


def contents(project) -> dict[str, str]:
    """SHA-256 of what each artifact is exported as, by path."""
    manifest = json.loads(dict(export_files(project))["manifest.json"])
    return {f["path"]: f["sha256"] for f in manifest["files"] if f["path"].startswith("artifacts/")}


def test_export_import_export_gives_the_same_artifacts_with_the_same_hashes(original, send):
    response = send(zipped(dict(export_files(original))))

    assert response.status_code == 201
    taken = Project.objects.get(pk=response.json()["id"])
    assert taken.pk != original.pk
    assert contents(taken) == contents(original)
    assert set(taken.artifacts.values_list("versions__sha256", flat=True)) == set(
        original.artifacts.values_list("versions__sha256", flat=True)
    )


def test_what_another_installation_says_is_a_claim_and_no_approval(
    files, send, outsider, client_of
):
    stated = json.loads(files["manifest.json"])
    for file in stated["files"]:
        if file["path"] == CONTENT:
            file |= {"status": "accepted", "source_agent": "coder", "provider": "openai"}
    answer = send(zipped(files | {"manifest.json": json.dumps(stated).encode()})).json()

    found = ArtifactVersion.objects.filter(artifact__project=answer["id"])
    statuses = dict(found.values_list("artifact__artifact_type", "status"))
    # What people hand in is input; the importer hands it in here.
    assert statuses == {"user_input": "accepted", "agent_output": "draft"}
    plan = Artifact.objects.get(project=answer["id"], artifact_type="agent_output")
    shown = client_of(outsider).get(f"/api/v1/artifacts/{plan.pk}/").json()
    assert (shown["accepted_version"], shown["source_agent"], shown["provider"]) == (None, "", "")
    claims = shown["imported"]
    assert (claims["status"], claims["made_by"], claims["provider"]) == (
        *("accepted", "coder", "openai"),
    )
    assert claims["is_verified"] is False
    event = Event.objects.filter(project=answer["id"], event_type="artifact_created").last()
    assert (event.data["imported"], event.data["is_verified"]) == (True, False)
    assert "openai" not in str(event.data)


def test_the_lineage_says_that_it_was_imported(files, send, outsider, client_of):
    taken = send(zipped(files)).json()["id"]
    plan = Artifact.objects.get(project=taken, artifact_type="agent_output")

    shown = client_of(outsider).get(f"/api/v1/artifacts/{plan.pk}/lineage/").json()

    [activity] = shown["activities"]
    assert shown["entities"][0]["was_generated_by"] == activity["id"]
    assert activity["id"].startswith("import:")
    made = ("import:orchestrator", "", None)
    assert (activity["agent"], activity["provider"], activity["task"]) == made
    assert activity["imported"]["provider"] == "demo"


def test_the_importer_owns_a_draft_that_says_where_it_comes_from(export, files, send, outsider):
    project, archive = export[0], zipped(files)
    answer = send(archive, name="Taken in").json()

    assert (answer["name"], answer["status"], answer["role"]) == ("Taken in", "draft", "owner")
    assert answer["brief"] == project.brief
    origin = ProjectImport.objects.get(project=answer["id"])
    assert (origin.imported_by, origin.origin_project) == (outsider, str(project.pk))
    assert origin.archive_sha256 == hashlib.sha256(archive).hexdigest()


def test_the_api_tells_imported_projects_from_others(original, send, outsider, client_of):
    taken = send(zipped(dict(export_files(original)))).json()["id"]
    api = client_of(outsider)

    origin = api.get(f"/api/v1/projects/{taken}/origin/").json()["origin"]

    assert origin["imported_by_username"] == "outsider"
    assert (origin["trail_broken_at"], origin["is_verified"]) == (None, False)
    assert origin["trail_events"] == Event.objects.filter(project=original.pk).count()
    path = f"/api/v1/projects/{original.pk}/origin/"
    assert client_of(original.created_by).get(path).json() == {"origin": None}


def test_the_old_log_is_kept_as_it_was_and_not_written_into_the_new_one(files, send):
    taken = Project.objects.get(pk=send(zipped(files)).json()["id"])

    again = dict(export_files(taken))

    assert again["imported/audit/events.jsonl"] == files["audit/events.jsonl"]
    assert again["imported/manifest.json"] == files["manifest.json"]
    assert verify_stream(taken.pk).valid
    kinds = list(Event.objects.filter(project=taken.pk).values_list("event_type", flat=True))
    assert kinds == ["project_created", "project_updated", "artifact_created", "artifact_created"]


def test_the_past_of_the_past_is_kept_too(files, send):
    once = Project.objects.get(pk=send(zipped(files)).json()["id"])

    twice = Project.objects.get(pk=send(zipped(dict(export_files(once)))).json()["id"])

    kept = dict(export_files(twice))["imported/imported/audit/events.jsonl"]
    assert kept == files["audit/events.jsonl"]


def test_an_imported_project_can_be_started_and_has_its_brief_once(files, send, outsider):
    taken = Project.objects.get(pk=send(zipped(files)).json()["id"])

    start_project(project_id=taken.pk, actor=Actor.of_user(outsider))
    advance(taken)

    assert Artifact.objects.filter(project=taken, artifact_type="user_input").count() == 1
    assert taken.tasks.get().step == "orchestrate"


def test_a_log_that_was_tampered_with_is_kept_and_said_to_be_broken(files, send):
    lines = files["audit/events.jsonl"].splitlines()
    lines[1] = lines[1].replace(b"approver", b"somebody")
    changed = relisted(files | {"audit/events.jsonl": b"\n".join(lines) + b"\n"})

    taken = send(zipped(changed)).json()["id"]

    assert ProjectImport.objects.get(project=taken).trail_broken_at == 2
    assert ImportedFile.objects.filter(origin__project=taken).count() == 2


def test_a_whole_log_holds(files):
    trail = verify_trail(files["audit/events.jsonl"])

    assert trail.first_broken_sequence is None
    assert trail.head_hash == json.loads(files["audit/events.jsonl"].splitlines()[-1])["hash"]


def test_a_log_without_its_beginning_is_broken_from_its_first_line(files):
    lines = files["audit/events.jsonl"].splitlines(keepends=True)

    assert verify_trail(b"".join(lines[1:])).first_broken_sequence == 1


@pytest.mark.parametrize("line", [b"[]", b"not json", b'{"sequence": 1}', b"\xff", b"[" * 2000])
def test_a_line_that_is_no_event_breaks_the_log(line):
    assert verify_trail(line + b"\n").first_broken_sequence == 1


def refusal(response) -> tuple[int, str, str]:
    body = response.json()
    return response.status_code, body["errors"][0]["code"], body["detail"]


MARKDOWN = "artifacts/orchestrate/agent_output.md"
CONTENT = "artifacts/orchestrate/agent_output.json"


def test_a_changed_file_is_refused_and_named(files, send):
    status, code, detail = refusal(send(zipped(files, **{MARKDOWN: b"changed"})))

    assert (status, code) == (400, "hash_mismatch")
    assert MARKDOWN in detail
    assert not ProjectImport.objects.exists()


def test_a_changed_content_is_refused_also_with_a_fitting_list(files, send):
    other = json.dumps(json.loads(files[CONTENT]) | {"summary": "Another one."}).encode()

    status, code, detail = refusal(send(zipped(relisted(files | {CONTENT: other}))))

    assert (status, code) == (400, "hash_mismatch")
    assert CONTENT in detail


def test_a_content_that_does_not_fit_its_type_is_refused_and_named(files, send):
    response = send(zipped(relisted(files | {CONTENT: b'{"summary": 5}'})))

    assert response.status_code == 400
    assert CONTENT in response.json()["detail"]
    assert response.json()["code"] == "invalid_content"


def test_a_missing_file_is_refused_and_named(files, send):
    del files[MARKDOWN]

    status, code, detail = refusal(send(zipped(files)))

    assert (status, code) == (400, "file_missing")
    assert MARKDOWN in detail


def test_a_file_that_nobody_lists_is_refused_and_named(files, send):
    status, code, detail = refusal(send(zipped(files, **{"more/x.sh": b"#!"})))

    assert (status, code) == (400, "file_unlisted")
    assert "more/x.sh" in detail


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "C:/x",
        "a\\..\\x",
        "./x",
        "a//x",
        "a/\u202ex",
        "MANIFEST.JSON",
    ],
)
def test_a_path_that_leads_anywhere_is_refused(files, send, path):
    status, code, _ = refusal(send(zipped(files, **{path: b"x"})))

    assert status == 400
    assert code in {"file_unsafe", "file_twice"}


def test_a_link_is_refused(files, send):
    target = io.BytesIO(zipped(files))
    with zipfile.ZipFile(target, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")

    assert refusal(send(target.getvalue()))[1] == "file_unsafe"


def test_a_bomb_is_stopped_while_it_unfolds(files, send, monkeypatch):
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1_000_000)
    bomb = files | {"bomb": b"\0" * 2_000_000}
    stated = json.loads(bomb["manifest.json"])
    stated["files"].append({"path": "bomb", "sha256": hashlib.sha256(bomb["bomb"]).hexdigest()})

    response = send(zipped(bomb | {"manifest.json": json.dumps(stated).encode()}))

    assert (response.status_code, response.json()["code"]) == (413, "import_too_large")
    assert response.json()["limit"] == 1_000_000


def test_a_size_that_lies_does_not_help_a_bomb(files, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILE_BYTES", 100_000)
    data = bytearray(zipped(files | {"bomb": b"\0" * 200_000}))
    data[:] = data.replace((200_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))

    with pytest.raises(Exception, match=r"bomb|ZIP"):
        open_archive(io.BytesIO(bytes(data)))


WHOLE = zipped({"artifacts/ü/a.json": b"{}", "manifest.json": b'{"format": "none"}'})


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4)
)
@example([(WHOLE.rindex(b"artifacts"), 0xFF)])
@example([(WHOLE.rindex(b"PK\x01\x02") + 28, 0)])
def test_whatever_is_wrong_with_an_archive_is_told(changes):
    data = bytearray(WHOLE)
    for position, byte in changes:
        data[position] = byte

    with pytest.raises(InvalidInput):
        open_archive(io.BytesIO(bytes(data)))


def test_too_many_files_are_refused(files, send, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 3)

    assert refusal(send(zipped(files)))[1] == "too_many_files"


def test_an_archive_over_the_limit_is_413(files, send, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 100)

    response = send(zipped(files))

    assert (response.status_code, response.json()["limit"]) == (413, 100)


@pytest.mark.parametrize("data", [b"", b"PK", b"hello", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_export_is_refused(send, data):
    response = send(data)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "file"


def test_a_cut_archive_is_refused(files, send):
    whole = zipped(files)

    assert send(whole[: len(whole) // 2]).status_code == 400


@pytest.mark.parametrize(
    "manifest", [b"[]", b"{", b"{}", b'{"format": "paraph.export.v1", "files": [5]}']
)
def test_a_manifest_that_is_none_is_refused(files, send, manifest):
    assert send(zipped(files, **{"manifest.json": manifest})).status_code == 400


@pytest.mark.parametrize(
    "manifest",
    [{"name": 5}, {"name": ["x"]}, {"brief": {}}, {"name": "a\ud800"}, {"brief": "a\ud800"}],
)
def test_a_name_or_brief_that_is_no_text_is_refused(files, send, manifest):
    assert refusal(send(zipped(relisted(files, **manifest))))[0] == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"artifact_type": "poem"},
        {"status": "golden"},
        {"source_agent": "ghost"},
        {"granularity": []},
        {"status": []},
        {"status": {"accepted": 1}},
        {"artifact_type": 5},
        {"content_sha256": None},
    ],
)
def test_an_unknown_word_in_the_list_is_refused_and_names_the_file(files, send, changes):
    stated = json.loads(files["manifest.json"])
    for file in stated["files"]:
        if file["path"] == CONTENT:
            file.update(changes)

    status, _, detail = refusal(send(zipped(files, **{"manifest.json": json.dumps(stated)})))

    assert status == 400
    assert CONTENT in detail


def at_fault(response) -> set[tuple[str, str]]:
    return {(error["field"], error["code"]) for error in response.json()["errors"]}


@pytest.mark.parametrize("workflow", ["house", None, "", 5, ["sdlc"], "../sdlc"])
def test_a_workflow_that_is_not_here_is_no_other_one_unasked(files, send, workflow):
    response = send(zipped(relisted(files, workflow=workflow)))

    assert response.status_code == 400
    assert at_fault(response) == {("workflow", "does_not_exist")}
    assert "sdlc" in response.json()["detail"]
    assert not ProjectImport.objects.exists()


def test_another_version_of_the_workflow_is_not_taken_unasked(files, send):
    archive = zipped(relisted(files, workflow_sha256="0" * 64))

    refused, taken = send(archive), send(archive, workflow="sdlc")

    assert at_fault(refused) == {("workflow", "version_differs")}
    assert (taken.status_code, taken.json()["workflow"]) == (201, "sdlc")


def test_an_export_names_the_version_of_its_workflow(files):
    manifest = json.loads(files["manifest.json"])

    assert manifest["workflow_sha256"] == definition_hash(load_definition("sdlc"))
    assert manifest["workflow_version"] == load_definition("sdlc").version


@pytest.mark.parametrize("level", ["lax", None, "", 5, ["high"]])
def test_an_oversight_level_that_is_unknown_is_no_other_one_unasked(files, send, level):
    response = send(zipped(relisted(files, oversight_level=level)))

    assert response.status_code == 400
    assert at_fault(response) == {("oversight_level", "invalid_choice")}
    assert "medium" in response.json()["detail"]


def test_who_imports_may_choose_both(original, send):
    files = dict(export_files(original))
    archive = zipped(relisted(files, workflow="house", oversight_level="lax"))

    refused = send(archive)
    taken = send(archive, workflow="sdlc", oversight_level="medium")

    assert {field for field, _ in at_fault(refused)} == {"workflow", "oversight_level"}
    answer = taken.json()
    assert (answer["workflow"], answer["oversight_level"]) == ("sdlc", "medium")
    assert contents(Project.objects.get(pk=answer["id"])) == contents(original)


def test_what_is_chosen_has_to_be_known_too(files, send):
    assert at_fault(send(zipped(files), workflow="house")) == {("workflow", "does_not_exist")}
    assert at_fault(send(zipped(files), oversight_level="lax")) == {
        ("oversight_level", "invalid_choice")
    }


def test_the_file_is_asked_for_by_name(outsider, client_of):
    response = client_of(outsider).post(URL, {"zip": "x"}, format="multipart")

    assert response.status_code == 400
    assert {"file", "zip"} <= {error["field"] for error in response.json()["errors"]}


def test_the_command_takes_the_file_of_an_export(project, outsider, tmp_path, capsys):
    asked(project)
    path = tmp_path / "export.zip"
    with path.open("wb") as target:
        write_export(project, target)

    call_command("import_project", str(path), user="outsider")

    taken = ProjectImport.objects.get().project
    assert str(taken.pk) in capsys.readouterr().out
    assert contents(taken) == contents(project)


def test_the_command_lets_one_choose_a_workflow(files, outsider, tmp_path):
    path = tmp_path / "export.zip"
    path.write_bytes(zipped(relisted(files, workflow="house", oversight_level="lax")))

    with pytest.raises(CommandError, match=r"house.*workflow: none, sdlc.*oversight_level: high"):
        call_command("import_project", str(path), user="outsider")
    call_command(
        "import_project", str(path), user="outsider", workflow="sdlc", oversight_level="low"
    )

    assert ProjectImport.objects.get().project.oversight_level == "low"


def test_the_command_says_what_is_wrong_with_a_file(outsider, tmp_path):
    path = tmp_path / "no.zip"
    path.write_bytes(b"hello")

    with pytest.raises(CommandError, match="ZIP"):
        call_command("import_project", str(path), user="outsider")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_project", str(tmp_path / "none.zip"), user="outsider")
