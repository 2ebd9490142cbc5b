"""Signed checkpoints as C2SP has them (signed-note, tlog-checkpoint), with Ed25519."""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
DASH = "\N{EM DASH}"


class BadNote(Exception):
    """The text is no checkpoint, or nobody who is trusted has signed it; says what is wrong."""


def key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


@dataclass(frozen=True)
class Verifier:
    """The public key of a log, as `NAME+ID+KEY`: what an auditor keeps."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Raises BadNote."""
        name, _, rest = text.strip().partition("+")
        id, _, key = rest.partition("+")
        try:
            decoded = base64.b64decode(key, validate=True)
        except binascii.Error:
            decoded = b""
        verifier = cls(name, decoded[1:])
        is_ours = len(decoded) == 33 and decoded[:1] == ED25519 and id == verifier.id.hex()
        if not name or not is_ours:
            raise BadNote("The key is not of the form NAME+ID+KEY with an Ed25519 key.")
        return verifier

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    def has_signed(self, note: str) -> bool:
        text, _, signatures = note.rpartition("\n\n")
        for line in signatures.splitlines():
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            try:
                signature = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                continue
            if dash == DASH and name == self.name and signature[:4] == self.id:
                try:
                    key = Ed25519PublicKey.from_public_bytes(self.public)
                    key.verify(signature[4:], f"{text}\n".encode())
                    return True
                except InvalidSignature:
                    continue
        return False


@dataclass(frozen=True)
class Signer:
    name: str
    key: Ed25519PrivateKey

    @classmethod
    def of_file(cls, path: Path) -> "Signer":
        """The key in the file, which is made with mode 0600 where there is none. Raises OSError,
        BadNote for a file that is no key."""
        try:
            text = path.read_text()
        except FileNotFoundError:
            text = _make_key(path)
        try:
            kind, key_word, name, id, encoded = text.strip().split("+", 4)
            seed = base64.b64decode(encoded, validate=True)
            signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed[1:]))
        except ValueError:
            raise BadNote(f"{path} is not a key for checkpoints.") from None
        is_ours = (kind, key_word) == ("PRIVATE", "KEY") and seed[:1] == ED25519
        if not is_ours or id != signer.verifier.id.hex():
            raise BadNote(f"{path} is not a key for checkpoints.")
        return signer

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        signature = base64.b64encode(self.verifier.id + self.key.sign(text.encode())).decode()
        return f"{text}\n{DASH} {self.name} {signature}\n"


def _make_key(path: Path) -> str:
    """Written whole beside it and then linked: of two that start at once, one key stays."""
    name, key = f"paraph-{secrets.token_hex(4)}", Ed25519PrivateKey.generate()
    encoded = base64.b64encode(ED25519 + key.private_bytes_raw()).decode()
    id = Signer(name, key).verifier.id.hex()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = write_beside(path, f"PRIVATE+KEY+{name}+{id}+{encoded}\n", mode=0o600)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass
    finally:
        unfinished.unlink()
    return path.read_text()


def write_beside(path: Path, text: str, *, mode: int) -> Path:
    """A new file, whole and on the disk, that can be put in the place of `path` in one step."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    return unfinished


@dataclass(frozen=True)
class SignedTree:
    """What a checkpoint says: so many leaves have this root. `others`: its further lines."""

    origin: str
    size: int
    root: bytes
    others: tuple[str, ...] = ()

    @classmethod
    def parse(cls, note: str, verifier: Verifier) -> "SignedTree":
        """Raises BadNote where it is none, or has no signature by this key."""
        text, separator, _ = note.rpartition("\n\n")
        try:
            origin, size, root, *others = text.splitlines()
            tree = cls(origin, int(size), base64.b64decode(root, validate=True), tuple(others))
        except ValueError:
            raise BadNote("This is not a checkpoint: no origin, size and root.") from None
        if not separator or size != str(tree.size) or tree.size < 0 or len(tree.root) != 32:
            raise BadNote("This is not a checkpoint: no origin, size and root.")
        if not verifier.has_signed(note):
            raise BadNote(f"The checkpoint has no valid signature by {verifier.name}.")
        return tree

    def text(self) -> str:
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.others))


def add_signatures(note: str, lines: Iterable[str]) -> str:
    """Those of witnesses, one a line; what is no signature line is left out."""
    return note + "".join(f"{line}\n" for line in lines if line.startswith(f"{DASH} "))
