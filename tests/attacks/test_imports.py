"""Somebody makes an export by hand, and says in it that a person has approved it."""

import hashlib
import io
import json
import zipfile
from unittest.mock import patch

import pytest

from audit.actors import Actor
from context.models import ArtifactVersion
from orchestrator.engine.export import export_files
from orchestrator.engine.imports import import_project, open_archive
from orchestrator.models import ProjectImport
from tests.scenes import asked
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db
CONTENT = "artifacts/orchestrate/agent_output.json"


@pytest.fixture
def forged(project):
    """ "Accepted, by the coder, with openai", and the end of the log cut off."""
    asked(project)
    files = dict(export_files(project))
    files["audit/events.jsonl"] = b"\n".join(files["audit/events.jsonl"].splitlines()[:4]) + b"\n"
    manifest = json.loads(files["manifest.json"])
    for file in manifest["files"]:
        file["sha256"] = hashlib.sha256(files[file["path"]]).hexdigest()
        if file["path"] == CONTENT:
            file |= {"status": "accepted", "source_agent": "coder", "provider": "openai"}
    files["manifest.json"] = json.dumps(manifest).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return target


def take(forged, owner):
    project = import_project(actor=Actor.of_user(owner), archive=open_archive(forged))
    version = ArtifactVersion.objects.get(
        artifact__project=project, artifact__artifact_type="agent_output"
    )
    return project, version


def test_it_is_shown_as_imported_and_not_verified_and_counts_as_approved_nowhere(forged, owner):
    project, version = take(forged, owner)

    assert (version.status, version.artifact.accepted_version) == ("draft", None)
    assert version.provider == ""
    assert not ProjectImport.objects.get().is_verified
    type(owner).objects.filter(pk=owner.pk).update(is_staff=True)
    for path in (f"projects/project/{project.pk}", f"context/artifact/{version.artifact_id}"):
        page = logged_in(owner).get(f"/admin/{path}/change/").content.decode()
        assert "not verified" in page
        assert "the hash chain is intact" not in page


def test_without_the_check_it_passes_for_verified(forged, owner):
    """The negative control."""
    with patch("orchestrator.engine.imports.service.is_vouched_for", return_value=True):
        _, version = take(forged, owner)

    assert version.claims["is_verified"]
