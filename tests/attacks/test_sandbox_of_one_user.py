"""A program that runs as the worker's own user, without namespaces: what it does to its neighbours.

Programs of a root worker have a user of their own; those in namespaces see nobody.
"""

import os
import shutil
import subprocess
import threading
import time

import pytest

from tests.attacks.sandboxes import ORDINARY_USER, own, run_as_ordinary_user, weaken

MEBIBYTE = 1024 * 1024


@pytest.fixture
def neighbour():
    """Another process of the same user."""
    user = {"user": ORDINARY_USER} if os.getuid() == 0 else {}
    process = subprocess.Popen(["sleep", "60"], **user)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def file_of_user(tmp_path):
    """A file that the user owns, outside of the program's folder."""
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    path = tmp_path / "settings"
    path.write_text("keep")
    path.chmod(0o640)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    own(path)
    return path


def facts_of(path):
    state = path.stat()
    return oct(state.st_mode), state.st_mtime, state.st_size, os.listxattr(path)


def attempt(*calls):
    """A program that makes each call and goes on, whatever comes of it."""
    lines = [f"try: {call}\nexcept OSError as error: print(error.errno)" for call in calls]
    return "import ctypes, fcntl, os, shutil, socket\n" + "\n".join(lines)


def test_attributes_of_other_files_stay_as_they_are(monkeypatch, file_of_user):
    before = facts_of(file_of_user)
    path = str(file_of_user)
    run_as_ordinary_user(
        monkeypatch,
        attempt(
            f"os.chmod({path!r}, 0o777)",
            f"os.utime({path!r}, (1, 1))",
            f"os.setxattr({path!r}, 'user.note', b'1')",
            f"os.truncate({path!r}, 0)",
            f"open({path!r}, 'a').write('more')",
            f"os.fchmod(os.open({path!r}, os.O_PATH), 0o777)",
            f"ctypes.CDLL(None).syscall(452, -100, {path.encode()!r}, 0o777, 0)",
        ),
    )
    assert facts_of(file_of_user) == before


def test_files_are_still_copied_with_all_the_usual_functions(monkeypatch):
    source = (
        "import os, shutil, tarfile\n"
        "open('a', 'w').write('text'); os.mkdir('d'); open('d/b', 'w').write('more')\n"
        "shutil.copy2('a', 'c'); shutil.copytree('d', 'e'); shutil.move('c', 'f')\n"
        "with tarfile.open('t.tar', 'w') as tar: tar.add('d')\n"
        "with tarfile.open('t.tar') as tar: tar.extractall('out')\n"
        "print(open('f').read(), open('e/b').read(), open('out/d/b').read())\n"
    )
    result = run_as_ordinary_user(monkeypatch, source)
    assert (result.exit_code, result.output) == (0, "text more more\n")
    assert result.isolation["attributes"] == "ignored"
    assert "own user" in result.isolation["remains"]


def test_other_processes_keep_their_priority_and_affinity_and_get_no_signal(monkeypatch, neighbour):
    pid = neighbour.pid
    before = os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid)
    result = run_as_ordinary_user(
        monkeypatch,
        attempt(
            f"os.setpriority(os.PRIO_PROCESS, {pid}, 19)",
            "os.setpriority(os.PRIO_USER, 0, 19)",
            "os.setpriority(os.PRIO_PGRP, 0, 19)",
            f"os.sched_setaffinity({pid}, {{0}})",
            f"os.sched_setscheduler({pid}, os.SCHED_BATCH, os.sched_param(0))",
            f"os.kill({pid}, 9)",
            f"fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, {pid})",
            "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
            "os.memfd_create('hidden')",
            "os.nice(1); os.sched_setaffinity(0, os.sched_getaffinity(0)); print('itself')",
        ),
    )
    assert result.output.split() == ["1"] * 9 + ["itself"]
    assert (os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid)) == before
    assert os.sched_getscheduler(pid) == os.SCHED_OTHER
    assert neighbour.poll() is None


MANY_FILES = """
piece = b"x" * (1 << 20)
for number in range(40):
    with open(f"f{number}", "wb") as file:
        for _ in range(31): file.write(piece)
print("all")
"""
WITHOUT_NAMES = """
import os
piece, kept = b"x" * (1 << 20), []
for number in range(40):
    file = open("f", "wb"); os.unlink("f"); kept.append(file)
    for _ in range(31): file.write(piece)
print("all")
"""
MAPPED = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
piece = b"x" * (1 << 20)
for number in range(40):
    file = os.open("f", os.O_RDWR | os.O_CREAT); os.unlink("f")
    for _ in range(31): os.write(file, piece)
    libc.mmap(None, 4096, 1, 1, file, 0); os.close(file)
print("all")
"""
OWN_FOLDER = "os.mkdir(str(os.getpid())); os.chdir(str(os.getpid()))\n"
MANY_WRITERS = "import os\nfor _ in range(3): os.fork()\n" + OWN_FOLDER + MANY_FILES
MANY_FOLDERS = "import os\nfor n in range(40_000): os.mkdir(str(n))\nprint('all')"


@pytest.mark.parametrize(
    "source", [MANY_FILES, WITHOUT_NAMES, MAPPED, MANY_WRITERS, MANY_FOLDERS],
    ids=["many files", "without names", "mapped", "many writers", "many folders"],
)  # fmt: skip
def test_a_program_that_fills_the_disk_is_ended(monkeypatch, tmp_path, source):
    with peak_of_disk(tmp_path) as peak:
        result = run_as_ordinary_user(monkeypatch, source)
    assert result.excess.startswith("more than")
    assert "all" not in result.output
    # 1,240 MiB were asked for. The rest is what is written between two looks.
    assert peak.megabytes < 500


class peak_of_disk:
    def __init__(self, folder):
        self.folder, self.megabytes, self.ended = folder, 0, threading.Event()

    def __enter__(self):
        self.before = shutil.disk_usage(self.folder).used
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.ended.wait(0.01):
            used = shutil.disk_usage(self.folder).used - self.before
            self.megabytes = max(self.megabytes, used / MEBIBYTE)

    def __exit__(self, *error):
        self.ended.set()
        self.thread.join()


def test_a_deep_tree_is_cleared_away(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):
        folder.chmod(0o755)
    source = "import os\nfor n in range(5000): os.mkdir('d'); os.chdir('d')\nprint('deep')"
    result = run_as_ordinary_user(monkeypatch, source)
    assert result.output in ("deep\n", "")
    assert list(tmp_path.iterdir()) == []


def test_control_without_the_rules_for_attributes_a_file_of_the_user_is_changed(
    monkeypatch, tmp_path, file_of_user
):
    weaken(monkeypatch, tmp_path, ("seccomp.py", "if shares_user:", "if False:"))
    run_as_ordinary_user(monkeypatch, attempt(f"os.chmod({str(file_of_user)!r}, 0o777)"))
    assert facts_of(file_of_user)[0].endswith("777")


def test_control_without_the_rules_for_others_a_neighbour_is_slowed_down(
    monkeypatch, tmp_path, neighbour
):
    weaken(monkeypatch, tmp_path, ("seccomp.py", "*_others_and_priorities(),", ""))
    run_as_ordinary_user(
        monkeypatch, attempt(f"os.setpriority(os.PRIO_PROCESS, {neighbour.pid}, 19)")
    )
    assert os.getpriority(os.PRIO_PROCESS, neighbour.pid) == 19


def test_control_without_the_watch_the_disk_takes_what_is_written(monkeypatch, tmp_path):
    weaken(
        monkeypatch,
        tmp_path,
        ("__main__.py", "excess = usage.excess(processes.descendants(warden))", 'excess = ""'),
    )
    began = time.monotonic()
    result = run_as_ordinary_user(monkeypatch, MANY_FILES.replace("range(40)", "range(6)"))
    assert (result.exit_code, result.output) == (0, "all\n")
    assert time.monotonic() - began < 30


LEADS_OUT = """
import os, sys
secret = {secret!r}
def dare(act):
    try:
        act()
    except OSError:
        pass
open('kept.txt', 'w').write('kept')
dare(lambda: os.symlink(secret, 'link.txt'))
dare(lambda: os.link(secret, 'hard.txt'))
dare(lambda: os.symlink(os.path.dirname(secret), 'folder'))
# Somebody who lives on, and puts a link in the place of a file.
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            dare(lambda: open('swapped.txt', 'w').write('plain'))
            dare(lambda: os.remove('swapped.txt'))
            dare(lambda: os.symlink(secret, 'swapped.txt'))
            dare(lambda: os.remove('swapped.txt'))
    os._exit(0)
"""


def test_what_is_kept_of_a_program_never_leads_out_of_its_folder(monkeypatch, file_of_user):
    program = LEADS_OUT.format(secret=str(file_of_user))

    left = run_as_ordinary_user(monkeypatch, program, keep_bytes=1_000_000).leftovers

    assert left.written.pop("swapped.txt", "plain") in ("plain", "")
    assert left.written == {"kept.txt": "kept"}
