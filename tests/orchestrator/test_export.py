import hashlib
import io
import json
import zipfile
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.actors import Actor
from audit.models import Event
from audit.serialization import to_wire
from context.models import Artifact
from context.services import add_version, create_artifact
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from orchestrator.engine.export import export_files, write_export
from orchestrator.engine.safe_paths import SafePaths, clean
from tests.scenes import asked, finish, pending_task, running, work

pytestmark = pytest.mark.django_db


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def exported(project, viewer, client_of):
    asked(project)
    response = client_of(viewer).get(f"/api/v1/projects/{project.pk}/export/")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/zip"
    data = b"".join(response.streaming_content)
    assert int(response["Content-Length"]) == len(data)
    return unpacked(data)


def test_every_current_artifact_is_there_to_read(exported):
    assert b"# The plan" in exported["artifacts/orchestrate/agent_output.md"]
    content = json.loads(exported["artifacts/orchestrate/agent_output.json"])
    assert content["summary"] == "A plan of the run."
    assert "artifacts/user_input/user_input.md" in exported


def test_the_audit_trail_is_there_line_by_line(project, exported):
    lines = [json.loads(line) for line in exported["audit/events.jsonl"].splitlines()]

    assert lines == [to_wire(event) for event in Event.objects.filter(project=project.pk)]


def test_the_manifest_has_the_hash_of_every_file(exported):
    manifest = json.loads(exported.pop("manifest.json"))

    listed = {file["path"]: file["sha256"] for file in manifest["files"]}
    assert listed == {path: hashlib.sha256(data).hexdigest() for path, data in exported.items()}
    providers = {file.get("provider") for file in manifest["files"]}
    assert "demo" in providers


def test_the_same_project_gives_the_same_bytes(project):
    asked(project)
    first, second = io.BytesIO(), io.BytesIO()

    write_export(project, first)
    write_export(project, second)

    assert first.getvalue() == second.getvalue()


def test_a_draft_exports_its_trail(project):
    assert [path for path, _ in export_files(project)] == ["audit/events.jsonl", "manifest.json"]


def test_what_was_accepted_is_exported_and_not_a_later_draft(project, owner):
    running(project)
    actor, content = Actor.of_user(owner), {"summary": "One", "body": "first"}
    artifact = create_artifact(
        actor=actor,
        project_id=project.pk,
        artifact_type="agent_output",
        title="Notes",
        content=content,
    )
    add_version(actor=actor, artifact_id=artifact.pk, content=content | {"body": "second"})

    files = dict(export_files(project))

    assert Artifact.objects.get(pk=artifact.pk).version == 2
    assert json.loads(files["artifacts/agent_output/agent_output.json"])["body"] == "first"


@given(st.lists(st.text(st.characters(), max_size=40), max_size=20))
def test_no_name_leads_out_of_the_folder_and_none_comes_twice(names):
    paths = SafePaths()

    given_out = [paths.file("artifacts/x", name) for name in names]

    assert len({path.casefold() for path in given_out}) == len(names)
    for path in given_out:
        assert path.startswith("artifacts/x/")
        parts = path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert "\\" not in path
        path.encode()


def below(path: str) -> set[str]:
    """The folders that a path needs."""
    return {str(folder).casefold() for folder in PurePosixPath(path).parents}


@given(st.lists(st.sampled_from(["a", "A/b", "a/b/c", "a/c", "a-2", "a-2/x", "b/a", "b"])))
def test_no_file_is_where_another_needs_a_folder(names):
    paths = SafePaths()

    given_out = [paths.file("x", name) for name in names]

    files = {path.casefold() for path in given_out}
    assert len(files) == len(names)
    assert not any(below(path) & files for path in given_out)


def test_of_a_file_and_a_folder_of_one_name_the_second_is_renamed():
    paths = SafePaths()
    wanted = ["a", "a/b", "a/c", "d/e", "D"]

    assert [paths.file("x", one) for one in wanted] == [
        "x/a",
        "x/a-2/b",
        "x/a-2/c",
        "x/d/e",
        "x/D-2",
    ]


def test_the_manifest_tells_what_only_a_dropped_round_has_made(project, approver):
    request = asked(project)
    assert current_paths(project)["artifacts/orchestrate/agent_output.md"] is True
    decide(
        request_id=request.pk,
        actor=Actor.of_user(approver),
        action="request_changes",
        subject_digest=request.subject_digest,
        comment="Risks?",
        channel="rest",
    )
    advance_project(project.pk)
    assert current_paths(project)["artifacts/orchestrate/agent_output.md"] is False
    assert current_paths(project)["artifacts/user_input/user_input.md"] is True
    finish(pending_task(project), work(body="With risks."))
    assert current_paths(project)["artifacts/orchestrate/agent_output.md"] is True


def current_paths(project) -> dict[str, bool]:
    files = json.loads(dict(export_files(project))["manifest.json"])["files"]
    return {file["path"]: file["is_current"] for file in files if "artifact" in file}


@pytest.mark.parametrize(
    ("wanted", "safe"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Windows\\x", "C_/Windows/x"),
        ("a/./b//c", "a/b/c"),
        ("nul.txt", "_nul.txt"),
        ("a\0b", "a_b"),
        ("..", "unnamed"),
        ("src/main.py", "src/main.py"),
        (".gitignore", ".gitignore"),
    ],
)
def test_names_are_made_safe(wanted, safe):
    assert clean(wanted) == safe
