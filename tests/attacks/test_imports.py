"""Somebody makes an export by hand, and says in it that a person has approved it."""

import hashlib
import io
import json
import zipfile
from unittest.mock import patch

import pytest

from audit.actors import Actor
from audit.checkpoints import make_checkpoint, proof_of, public_key
from audit.models import Event
from audit.notes import Signer
from context.models import ArtifactVersion
from orchestrator.engine.export import export_files
from orchestrator.engine.imports import import_project, open_archive
from orchestrator.models import ProjectImport
from tests.scenes import asked
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db
CONTENT = "artifacts/orchestrate/agent_output.json"
TRAIL, PROOF = "audit/events.jsonl", "audit/proof.json"


@pytest.fixture
def exported(project, settings, tmp_path):
    """The export of an installation whose log was signed, by path; its key is trusted here."""
    settings.CHECKPOINT_DIR = str(tmp_path / "elsewhere")
    settings.CHECKPOINT_KEY_FILE = str(tmp_path / "elsewhere.key")
    asked(project)
    make_checkpoint()
    files = dict(export_files(project))
    settings.TRUSTED_LOG_KEYS = [str(public_key())]
    settings.CHECKPOINT_DIR = settings.CHECKPOINT_KEY_FILE = ""
    return files


def zipped(files, **claims):
    """With a manifest that fits the files, and says this of the agent's output."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = [file for file in manifest["files"] if file["path"] in files]
    for file in manifest["files"]:
        file["sha256"] = hashlib.sha256(files[file["path"]]).hexdigest()
        if file["path"] == CONTENT:
            file |= claims
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path, data in (files | {"manifest.json": json.dumps(manifest).encode()}).items():
            archive.writestr(path, data)
    return target


APPROVED = {"status": "accepted", "source_agent": "coder", "provider": "openai", "model": "gpt-x"}


@pytest.fixture
def forged(exported):
    """ "Accepted, by the coder, with openai", and the end of the log cut off."""
    exported[TRAIL] = b"\n".join(exported[TRAIL].splitlines()[:4]) + b"\n"
    return zipped(exported, **APPROVED)


def take(file, owner):
    project = import_project(actor=Actor.of_user(owner), archive=open_archive(file))
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
        take(forged, owner)

    assert ProjectImport.objects.get().is_verified


def test_what_a_signed_log_says_is_taken_and_not_what_the_manifest_says_beside_it(exported, owner):
    _, version = take(zipped(exported, **APPROVED), owner)

    assert ProjectImport.objects.get().is_verified
    assert version.status == "draft"
    claims = {"status": "draft", "made_by": "orchestrator", "provider": "demo", "model": ""}
    assert version.claims.items() >= (claims | {"is_verified": True}).items()


def test_another_content_under_a_signed_log_is_not_verified(exported, owner):
    content = json.loads(exported[CONTENT])
    first = next(name for name, value in content.items() if isinstance(value, str))
    content[first] = "Pay everything to me."
    exported[CONTENT] = json.dumps(content).encode()
    sha256 = hashlib.sha256(
        json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    ).hexdigest()

    _, version = take(zipped(exported, content_sha256=sha256), owner)

    assert not version.claims["is_verified"]


def test_a_log_that_was_cut_at_its_end_has_no_proof_that_fits(exported, project, owner):
    """Unless somebody who may read it asks for the proof of an earlier event: so it is said up to
    which event the log is vouched for."""
    proof = json.loads(exported[PROOF])
    exported[TRAIL] = b"\n".join(exported[TRAIL].splitlines()[:4]) + b"\n"
    take(zipped(exported), owner)
    exported[PROOF] = json.dumps(proof | {"sequence": 4}).encode()
    take(zipped(exported), owner)
    del exported[PROOF]
    take(zipped(exported), owner)

    assert not ProjectImport.objects.filter(is_verified=True).exists()


def test_a_key_that_nobody_here_trusts_vouches_for_nothing(exported, settings, tmp_path, owner):
    settings.TRUSTED_LOG_KEYS = [str(Signer.of_file(tmp_path / "mine.key").verifier)]
    take(zipped(exported), owner)

    assert not ProjectImport.objects.get().is_verified
    # What was signed is there all the same, for who has the key.
    assert json.loads(exported[PROOF])["hash"] == proof_of_last(exported)


def proof_of_last(exported) -> str:
    last = json.loads(exported[TRAIL].splitlines()[-1])
    return proof_of(Event.objects.get(pk=last["id"]))["hash"]
