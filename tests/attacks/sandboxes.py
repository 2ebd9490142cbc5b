"""Sandboxes for attacks: with one wall taken out, or as an ordinary user without namespaces."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.sandbox import run as sandbox_run

ORDINARY_USER = 61_234
LIMITS = {"timeout_seconds": 30, "memory_megabytes": 256}


def weaken(monkeypatch, folder, *changes):
    """A sandbox whose launcher lacks a check: (file, its text, what stands there instead)."""
    jail = folder / "jail"
    shutil.copytree(sandbox_run.JAIL, jail, dirs_exist_ok=True)
    for parent in (jail, *list(jail.parents)[:3]):
        parent.chmod(0o755)
    for name, old, new in changes:
        text = (jail / name).read_text()
        assert old in text
        (jail / name).write_text(text.replace(old, new))
    monkeypatch.setattr(sandbox_run, "JAIL", jail)


def run_tests(files, *, seconds=30):
    """By the first kind of walls that there is here."""
    return sandbox_run.run_tests(files, **LIMITS | {"timeout_seconds": seconds})


def run_as_ordinary_user(monkeypatch, source, *, seconds=30, keep_bytes=0):
    """A program in a sandbox of filters alone, on behalf of a worker that is not root."""
    monkeypatch.setattr(sys, "_base_executable", _python_for_all())
    if os.getuid() == 0:
        monkeypatch.setattr(sandbox_run.subprocess, "Popen", _PopenAsOrdinaryUser)
        monkeypatch.setattr(sandbox_run, "program_folder", _folder_of_ordinary_user)
    command = {"command": ("python", "main.py")}
    limits = LIMITS | {"timeout_seconds": seconds, "keep_bytes": keep_bytes}
    try:
        return sandbox_run.run_in("filters", {"main.py": source}, limits | command)
    except sandbox_run._Unavailable as reason:
        pytest.skip(f"no filters here: {reason}")


def own(path):
    """Make the ordinary user the owner."""
    if os.getuid() == 0:
        os.chown(path, ORDINARY_USER, ORDINARY_USER)


def _python_for_all():
    """An interpreter that an ordinary user can reach."""
    for path in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        if not (real := Path(path).resolve()).exists():
            continue
        is_open = all(part.stat().st_mode & 0o005 == 0o005 for part in (real, *real.parents))
        if is_open or os.getuid() != 0:
            version = subprocess.run(
                [real, "-c", "import sys; print(sys.version_info >= (3, 11))"],
                capture_output=True,
                check=True,
                text=True,
            )
            if version.stdout == "True\n":
                return str(real)
    pytest.skip("no Python 3.11 that an ordinary user can reach")


class _PopenAsOrdinaryUser(subprocess.Popen):
    def __init__(self, *arguments, **options):
        identity = {"user": ORDINARY_USER, "group": ORDINARY_USER, "extra_groups": []}
        super().__init__(*arguments, **options, **identity)


_program_folder = sandbox_run.program_folder


@contextmanager
def _folder_of_ordinary_user(files):
    with _program_folder(files) as folder:
        for path in (folder, *folder.rglob("*")):
            own(path)
        yield folder
