"""Signed checkpoints of the whole log, and proofs by which it is held against them."""

import base64
import http.server
import itertools
import json
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.core.management import CommandError, call_command
from django.db import transaction

from audit import archive_verifier, merkle, tree
from audit.archive import write_archive
from audit.checkpoints import (
    LogRewritten,
    make_checkpoint,
    make_checkpoint_if_due,
    public_key,
    verify_tree,
)
from audit.models import Event
from audit.notes import SignedTree, Verifier
from audit.schedule import verify_signed
from ops.devserver.runtime import PROJECT_DIR
from tests.fixtures import note_people
from tests.live import write

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


@pytest.fixture(autouse=True)
def folder(settings, tmp_path) -> Path:
    settings.CHECKPOINT_DIR = str(tmp_path / "checkpoints")
    settings.CHECKPOINT_KEY_FILE = str(tmp_path / "keys" / "checkpoint.key")
    return tmp_path / "checkpoints"


def signed(note: str) -> SignedTree:
    return SignedTree.parse(note, public_key())


def verify(*arguments) -> str:
    note_people()
    out = StringIO()
    call_command("verify_audit", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_a_checkpoint_is_signed_kept_and_served(project, folder, settings, viewer, client_of):
    made = make_checkpoint()

    client = client_of(viewer)
    latest = client.get("/api/v1/audit/checkpoints/latest")
    (listed,) = client.get("/api/v1/audit/checkpoints/").json()["results"]
    assert made.size == Event.objects.count()
    assert signed(made.note).root.hex() == made.root
    assert latest.headers["Content-Type"].startswith("text/plain")
    assert latest.content.decode() == made.note == listed["note"]
    assert (folder / "latest.note").read_text() == made.note
    assert stat.S_IMODE(Path(settings.CHECKPOINT_KEY_FILE).stat().st_mode) == 0o600


def test_events_are_proved_to_be_in_it_and_it_to_go_on_from_earlier_ones(
    project, make_project, viewer, client_of
):
    before = make_checkpoint()
    other, head = make_project(name="Another"), write(project.pk, 3)
    after, client = make_checkpoint(), client_of(viewer)

    for event in Event.objects.all():
        proof = client.get(f"/api/v1/audit/events/{event.pk}/proof/").json()
        root = merkle.root_of_inclusion(
            merkle.leaf_hash(bytes.fromhex(proof["hash"])),
            proof["index"],
            proof["size"],
            [base64.b64decode(hash) for hash in proof["proof"]],
        )
        assert (proof["hash"], root) == (event.hash, signed(proof["checkpoint"]).root)
    sizes = {"old": before.size, "new": after.size}
    assert client.get("/api/v1/audit/consistency/", sizes).json()["proof"]
    assert tree.root_at(before.size).hex() == before.root
    assert (head, Event.objects.filter(project=other.pk).exists()) == (6, True)


def test_an_event_without_a_checkpoint_has_no_proof_yet(project, viewer, client_of):
    event = Event.objects.first()

    answer = client_of(viewer).get(f"/api/v1/audit/events/{event.pk}/proof/")

    assert (answer.status_code, answer.json()["code"]) == (409, "not_in_a_checkpoint")


def test_the_schedule_makes_one_only_where_something_happened(project):
    assert make_checkpoint_if_due() is not None
    assert make_checkpoint_if_due() is None

    write(project.pk)

    assert make_checkpoint_if_due() is not None


def test_verification_starts_from_the_checkpoint(project, folder):
    make_checkpoint()

    assert "it holds" in verify()
    assert "it holds" in verify("--checkpoint", str(folder / "latest.note"))
    with pytest.raises(CommandError, match="no valid signature"):
        verify("--checkpoint", str(foreign(folder)))


def test_a_program_on_its_own_verifies_archive_proof_and_checkpoints(
    project, folder, tmp_path, viewer, client_of, settings
):
    made = {size: make_checkpoint() for size in (write(project.pk, count) for count in (1, 3, 4))}
    archive, client = write_archive(project.pk, tmp_path), client_of(viewer)
    event = Event.objects.filter(project=project.pk).last()
    key = ("--key", str(public_key()))
    proof, consistency = tmp_path / "proof.json", tmp_path / "consistency.json"
    proof.write_bytes(client.get(f"/api/v1/audit/events/{event.pk}/proof/").content)

    assert run(archive.path, "--proof", proof, *key).returncode == 0
    for old, new in itertools.combinations_with_replacement(made.values(), 2):
        answer = client.get("/api/v1/audit/consistency/", {"old": old.size, "new": new.size})
        consistency.write_bytes(answer.content)
        earlier, later = tmp_path / "old.note", tmp_path / "new.note"
        earlier.write_text(old.note), later.write_text(new.note)
        pair = ("--checkpoint", earlier, "--later", later, "--consistency", consistency)
        assert run(*pair, *key).returncode == 0, (old.size, new.size)

    other = Verifier(public_key().name, bytes(32))
    assert "no valid signature" in run(archive.path, "--proof", proof, "--key", str(other)).stderr
    lines = archive.path.read_bytes().splitlines(keepends=True)
    archive.path.write_bytes(b"".join(lines[:-1]))
    assert "not in these files" in run(archive.path, "--proof", proof, *key).stderr
    proof.write_text(json.dumps(json.loads(proof.read_text()) | {"index": 0}))
    assert "does not lead to the root" in run(archive.path, "--proof", proof, *key).stderr


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-I", PROJECT_DIR / "audit" / "archive_verifier.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def foreign(folder: Path) -> Path:
    text = (folder / "latest.note").read_text().replace("\n3\n", "\n2\n")
    (folder / "foreign.note").write_text(text)
    return folder / "foreign.note"


def test_nothing_is_signed_that_does_not_go_on_from_what_was_signed(project):
    with transaction.atomic():
        write(project.pk, 3)
        make_checkpoint()
        # As a dump from before, in place of the database.
        transaction.set_rollback(True)

    with pytest.raises(LogRewritten, match="The log has 3 events, and 6 were signed"):
        make_checkpoint()

    made = make_checkpoint(restored="The disk broke.")
    assert "restored, 6 events were signed before: The disk broke." in made.note
    assert verify_tree(signed(made.note)).problem == ""


class Witness(http.server.BaseHTTPRequestHandler):
    """Signs what goes on from what it signed last (C2SP tlog-witness), and says where it stands."""

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        first, note = text.split("\n\n", 1)
        old, *proof = first.splitlines()
        wanted, new = self.server.signed, archive_verifier.Checkpoint.read(note, self.server.key)
        if old != f"old {wanted.size if wanted else 0}":
            self.answer(409, "text/x.tlog.size", str(wanted.size if wanted else 0))
            return
        if wanted:
            facts = {"old": wanted.size, "new": new.size, "proof": proof}
            archive_verifier.verify_consistency(wanted, new, facts)
        self.server.signed = new
        self.answer(200, "text/plain", "\N{EM DASH} witness.example aGVsbG8gd29ybGQ=\n")

    def answer(self, status, kind, text):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def witness(settings, folder):
    with http.server.HTTPServer(("127.0.0.1", 0), Witness) as server:
        server.signed, server.key = None, str(make_checkpoint() and public_key())
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        settings.CHECKPOINT_WITNESS_URL = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()


def test_a_witness_signs_what_goes_on_from_what_it_signed_before(project, witness):
    write(project.pk, 2)
    # It has seen none of ours yet, and is asked again from there.
    first = make_checkpoint()
    write(project.pk, 3)
    second = make_checkpoint()

    for made in (first, second):
        assert "witness.example" in made.note
        assert signed(made.note).size == made.size
    assert witness.signed.size == second.size


def test_without_the_witness_the_checkpoint_is_kept(project, settings):
    settings.CHECKPOINT_WITNESS_URL = "http://127.0.0.1:9"

    made = make_checkpoint()

    assert signed(made.note).size == made.size
    assert "witness.example" not in made.note


def test_the_api_says_what_was_signed_and_what_was_not_checked(
    project, viewer, client_of, folder, settings
):
    def answer() -> dict:
        found = client_of(viewer).get("/api/v1/audit/verify/", {"project": project.pk}).json()
        return found | found["checkpoint"]

    none_yet = answer()
    make_checkpoint()
    covered = answer()
    write(project.pk, 2)
    later = answer()
    (folder / "latest.note").write_text(make_checkpoint().note.replace("A", "B"))
    forged = answer()
    settings.CHECKPOINT_DIR = ""
    elsewhere = answer()

    assert (none_yet["valid"], none_yet["holds"], covered["holds"]) == (True, None, True)
    assert (covered["checked_by"], covered["covered"]) == ("server", covered["head_sequence"])
    assert not any("since the last checkpoint" in text for text in covered["not_checked"])
    assert later["valid"]
    assert later["not_checked"][0].startswith("2 events since the last checkpoint")
    assert (forged["valid"], forged["holds"]) == (False, False)
    assert (elsewhere["valid"], elsewhere["holds"]) == (True, None)
    assert "this server has no checkpoints" in elsewhere["not_checked"][0]


def test_what_a_server_cannot_check_the_schedule_has(project, viewer, client_of, settings):
    make_checkpoint()
    verify_signed()
    settings.CHECKPOINT_DIR = ""

    answer = client_of(viewer).get("/api/v1/audit/verify/", {"project": project.pk}).json()

    assert (answer["checkpoint"]["checked_by"], answer["checkpoint"]["holds"]) == ("schedule", True)
    assert "the schedule's word is a row, too" in answer["not_checked"][0]


# Time stamps.


def pem(key) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def certificate(name: str, key, issuer=None, issuer_key=None, *, is_authority: bool):
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if not is_authority:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(purpose, critical=True)
    return builder.sign(issuer_key or key, hashes.SHA256())


class Authority(http.server.BaseHTTPRequestHandler):
    """Stamps what it is asked to, by openssl."""

    def do_POST(self):
        folder = self.server.folder
        question = self.rfile.read(int(self.headers["Content-Length"]))
        (folder / "question").write_bytes(question)
        arguments = ["-reply", "-config", "tsa.conf", "-queryfile", "question", "-out", "answer"]
        subprocess.run(["openssl", "ts", *arguments], cwd=folder, check=True, capture_output=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write((folder / "answer").read_bytes())

    def log_message(self, *arguments):
        pass


TSA = """
[tsa]
default_tsa = own
[own]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
"""


@pytest.fixture
def authority(settings, tmp_path):
    folder = tmp_path / "tsa"
    folder.mkdir()
    root_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    root = certificate("Root", root_key, is_authority=True)
    tsa = certificate("Clock", key, root, root_key, is_authority=False)
    for name, made in (("root.pem", root), ("tsa.pem", tsa)):
        (folder / name).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tsa.key").write_bytes(pem(key))
    (folder / "tsa.conf").write_text(TSA)
    (folder / "serial").write_text("01")
    with http.server.HTTPServer(("127.0.0.1", 0), Authority) as server:
        server.folder = folder
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.CHECKPOINT_TSA_URL = f"http://127.0.0.1:{server.server_port}"
        settings.CHECKPOINT_TSA_ROOTS = str(folder / "root.pem")
        yield folder
        server.shutdown()


def test_a_checkpoint_is_stamped_by_somebody_elses_clock(project, authority, folder, settings):
    make_checkpoint()
    earlier = (folder / "latest.tsr").read_bytes()

    assert "time stamp: it was there on" in verify()
    settings.CHECKPOINT_TSA_ROOTS = ""
    assert "Time stamp not verified" in verify()
    settings.CHECKPOINT_TSA_ROOTS = str(authority / "root.pem")

    # One of another checkpoint, and one that another root vouches for.
    write(project.pk, 1)
    make_checkpoint()
    stamp = folder / "latest.tsr"
    genuine = stamp.read_bytes()
    stamp.write_bytes(earlier)
    with pytest.raises(CommandError, match="not the one that was signed"):
        verify()
    stamp.write_bytes(genuine)
    key = rsa.generate_private_key(65537, 2048)
    other = certificate("Root", key, is_authority=True)
    roots = authority / "other.pem"
    roots.write_bytes(other.public_bytes(serialization.Encoding.PEM))
    settings.CHECKPOINT_TSA_ROOTS = str(roots)
    with pytest.raises(CommandError, match="not the one that was signed"):
        verify()


def test_without_the_authority_the_checkpoint_is_kept(project, folder, settings):
    settings.CHECKPOINT_TSA_URL = "http://127.0.0.1:9"

    made = make_checkpoint()

    assert signed(made.note).size == made.size
    assert not (folder / "latest.tsr").exists()
    assert "No time stamp beside latest.note" in verify()
