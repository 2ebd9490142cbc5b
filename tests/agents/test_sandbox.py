"""The sandbox against programs that want out, under every kind of walls that there is here."""

import os
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

import psutil
import pytest
from django.test import override_settings

from agents.protocols import PermanentError
from agents.sandbox import run as sandbox_run
from agents.sandbox import run_program, run_tests
from agents.worker.cancellation import Cancellation, LeaseLost, StopRequested, as_current

PYTHON = ("python", "main.py")


@pytest.fixture(params=sandbox_run.MODES)
def run(request):
    """Runs one program under one kind of walls."""

    def run_program(
        source, *, command=PYTHON, seconds=20, megabytes=256, keep_bytes=0, **more_files
    ):
        files = {"main.py": source, **more_files}
        asked = {
            "command": command,
            "timeout_seconds": seconds,
            "memory_megabytes": megabytes,
            "keep_bytes": keep_bytes,
        }
        return sandbox_run.run_in(request.param, files, asked)

    if reason := why_not(request.param):
        pytest.skip(f"{request.param}: {reason}")
    return run_program


@cache
def why_not(mode):
    """What keeps these walls from being put up here, once asked."""
    try:
        limits = {"command": PYTHON, "timeout_seconds": 20, "memory_megabytes": 256}
        sandbox_run.run_in(mode, {"main.py": ""}, limits)
    except sandbox_run._Unavailable as reason:
        return str(reason) or repr(reason)
    return None


def refusal_of(expression):
    """A program that prints the class of error that an expression ends with."""
    return (
        "import os, socket, ctypes\n"
        f"try:\n    print('got', {expression})\n"
        "except OSError as error:\n    print(type(error).__name__)\n"
    )


def test_exit_code_and_output_are_the_true_ones(run):
    result = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (result.exit_code, result.timed_out) == (3, False)
    assert sorted(result.output.split()) == ["err", "out"]
    assert result.duration_ms > 0


def test_a_real_unittest_run_passes_and_fails():
    test = (
        "import unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test(self): self.assertEqual({}, 2)\n"
    )
    limits = {"timeout_seconds": 20, "memory_megabytes": 256}
    passed = run_tests({"tests/test_a.py": test.format("1 + 1")}, **limits)
    failed = run_tests({"tests/test_a.py": test.format("1")}, **limits)
    assert (passed.exit_code, failed.exit_code) == (0, 1)
    assert [(t.file, t.name, t.outcome) for t in passed.tests] == [
        ("tests/test_a.py", "T.test", "passed")
    ]
    assert failed.tests[0].outcome == "failed"
    assert "1 != 2" in failed.tests[0].detail


def test_a_program_that_prints_ok_and_leaves_has_not_passed():
    test = (
        "import os, unittest\n"
        "class T(unittest.TestCase):\n"
        "    def test_a(self): print('Ran 2 tests in 0.1s\\n\\nOK', flush=True); os._exit(0)\n"
        "    def test_b(self): pass\n"
    )
    limits = {"timeout_seconds": 20, "memory_megabytes": 256}
    result = run_tests({"tests/test_a.py": test}, **limits)
    assert result.exit_code != 0
    assert [(t.name, t.outcome) for t in result.tests] == [
        ("T.test_a", "error"),
        ("T.test_b", "not_run"),
    ]
    assert "exit code 0" in result.problems[0]


def test_a_signal_is_a_negative_exit_code(run):
    assert run("import ctypes; ctypes.string_at(0)").exit_code == -11


def test_an_unknown_command_ends_with_127(run):
    result = run("", command=("no-such-program",))
    assert result.exit_code == 127
    assert "no-such-program" in result.output


def test_a_time_out_also_ends_grandchildren(run):
    marker = f"sandbox-grandchild-{os.getpid()}-{time.monotonic_ns()}"
    source = (
        "import os, subprocess, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        sleep = [sys.executable, '-c', 'import time; time.sleep(99)']\n"
        f"        os.execv(sys.executable, [*sleep, '{marker}'])\n"
        "    os._exit(0)\n"
        "print('begun', flush=True)\n"
        "time.sleep(99)\n"
    )
    result = run(source, seconds=3)
    assert (result.exit_code, result.timed_out, result.output) == (None, True, "begun\n")
    assert result.duration_ms < 30_000
    assert not [p for p in psutil.process_iter(["cmdline"]) if marker in (p.info["cmdline"] or ())]


def test_what_a_finished_program_left_running_is_ended(run):
    marker = f"sandbox-left-{os.getpid()}-{time.monotonic_ns()}"
    source = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)', '{marker}'],"
        " start_new_session=True)\n"
    )
    result = run(source)
    assert (result.exit_code, result.timed_out) == (0, False)
    assert not [p for p in psutil.process_iter(["cmdline"]) if marker in (p.info["cmdline"] or ())]


def test_a_cancelled_run_ends_at_once_with_all_that_it_started(run):
    marker = f"sandbox-cancelled-{os.getpid()}-{time.monotonic_ns()}"
    source = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    sleep = [sys.executable, '-c', 'import time; time.sleep(99)']\n"
        f"    os.execv(sys.executable, [*sleep, '{marker}'])\n"
        "time.sleep(99)\n"
    )
    cancellation = Cancellation(claim=None, ask=lambda claim: None)

    def cancel():
        _wait_until(lambda: _running(marker))
        cancellation.request(StopRequested)

    began = time.monotonic()
    canceller = threading.Thread(target=cancel)
    canceller.start()
    with as_current(cancellation), pytest.raises(StopRequested):
        run(source, seconds=90)
    canceller.join()

    assert not _running(marker)
    assert time.monotonic() - began < 20


def test_nothing_is_run_for_work_that_was_cancelled():
    cancellation = Cancellation(claim=None, ask=lambda claim: None)
    cancellation.request(LeaseLost)

    with as_current(cancellation), pytest.raises(LeaseLost):
        run_program({"main.py": ""}, command=PYTHON, timeout_seconds=5, memory_megabytes=100)


def test_memory_is_limited(run):
    result = run("x = bytearray(400 * 1024 * 1024)", megabytes=200)
    assert result.exit_code == 1
    assert "MemoryError" in result.output


def test_the_number_of_processes_is_limited(run):
    source = (
        "import os, sys, time\n"
        "for n in range(2000):\n"
        "    try:\n        pid = os.fork()\n"
        "    except BlockingIOError:\n        print('refused'); sys.exit(0)\n"
        "    if pid == 0:\n        time.sleep(99); os._exit(0)\n"
    )
    assert run(source).output == "refused\n"


def test_a_listening_socket_of_ours_cannot_be_reached(run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = run(refusal_of(f"socket.create_connection(('127.0.0.1', {port}), 5)"))
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert result.output == "PermissionError\n"


def test_no_kind_of_socket_can_be_opened(run):
    kinds = "(socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK)"
    source = (
        f"import socket\nfor kind in {kinds}:\n"
        "    try:\n        socket.socket(kind); print('opened', kind)\n"
        "    except PermissionError:\n        print('refused')\n"
    )
    assert run(source).output.split() == ["refused"] * 4


def test_the_network_is_shut_by_what_the_result_says(run):
    result = run("")
    assert result.isolation["network"] in ("namespace", "seccomp")
    assert result.isolation["files"] in ("namespace", "landlock", "permissions")


def test_asyncio_still_works(run):
    assert run("import asyncio; asyncio.run(asyncio.sleep(0)); print('done')").output == "done\n"


def test_the_environment_is_empty_but_for_six_variables(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    result = run("import os; print(*sorted(os.environ)); print(*os.environ.values())")
    names, values = result.output.splitlines()
    assert names == "HOME LANG PATH PYTHONDONTWRITEBYTECODE PYTHONHASHSEED"
    assert "secret" not in values


def test_stdin_is_closed_and_no_descriptor_is_inherited(run):
    source = (
        "import os, sys\n"
        "def is_open(n):\n"
        "    try:\n        os.fstat(n)\n        return True\n"
        "    except OSError:\n        return False\n"
        "print(repr(sys.stdin.read()), [n for n in range(256) if is_open(n)])\n"
    )
    assert run(source).output == "'' [0, 1, 2]\n"


def test_huge_output_is_cut_in_the_middle_and_never_held(run):
    source = (
        "import sys\nprint('first')\n"
        "for n in range(300): sys.stdout.write('x' * 100_000)\nprint('last')\n"
    )
    before = psutil.Process().memory_info().rss
    result = run(source)
    assert len(result.output.encode()) < sandbox_run.OUTPUT_BYTES + 100
    assert result.output.startswith("first\n")
    assert result.output.endswith("last\n")
    assert "bytes left out" in result.output
    assert psutil.Process().memory_info().rss - before < 20_000_000


def test_bytes_that_no_database_takes_are_replaced(run):
    result = run(r"import sys; sys.stdout.buffer.write(b'a\x00b\xff')")
    assert result.output == "a\ufffdb\ufffd"


@pytest.mark.parametrize("place", ["/var/lib", "/usr/lib", "/etc", "/"])
def test_nothing_can_be_written_outside_of_its_folder(run, place):
    result = run(refusal_of(f"open('{place}/sandbox-was-here', 'w')"))
    assert result.output.strip() in ("PermissionError", "OSError", "FileNotFoundError")
    assert not os.path.exists(f"{place}/sandbox-was-here")


def test_its_own_folder_can_be_written(run):
    assert run("open('a', 'w').write('1'); print(open('a').read())").output == "1\n"


LEAVES = """
import os
os.remove('gone.txt')
os.makedirs('deep/er'), os.makedirs('.cache/x')
texts = {'made.txt': 'new', 'changed.txt': 'other', 'deep/er/b.py': 'b', '.cache/x/a': 'a'}
for name, text in texts.items():
    open(name, 'w').write(text)
open('binary', 'wb').write(b'\\0')
open('latin', 'wb').write(b'caf\\xe9')
open(b'odd-\\xff', 'w').write('odd')
for make in (
    lambda: os.symlink('/etc/passwd', 'link'),
    lambda: os.symlink('/etc', 'folder'),
    lambda: os.mkfifo('pipe'),
    lambda: (open('one', 'w').close(), os.link('one', 'two')),
):
    try:
        make()
    except OSError:
        pass
if os.fork() == 0:
    while True:
        open('late.txt', 'a').write('late')
"""


def test_what_is_left_are_plain_files_of_text(run):
    given = {"gone.txt": "", "changed.txt": "old", "same.txt": "same"}

    left = run(LEAVES, keep_bytes=100_000_000, **given).leftovers

    texts = {path: text for path, text in left.written.items() if path.isascii()}
    late = texts.pop("late.txt", "late")
    assert set(late.split("late")) == {""}
    assert texts == {"made.txt": "new", "changed.txt": "other", "deep/er/b.py": "b"} | {
        path: text for path, text in texts.items() if path == "one"
    }
    assert left.removed == ("gone.txt",)
    reasons = dict(left.refused)
    assert (reasons["binary"], reasons["latin"]) == ("no text", "no text")
    assert reasons[".cache/"].startswith("left out")
    assert reasons.get("link", "a symbolic link") == "a symbolic link"
    assert reasons.get("folder", "a symbolic link") == "a symbolic link"
    assert reasons.get("pipe", "no plain file") == "no plain file"
    assert reasons.get("two", "a file with several names") == "a file with several names"


@pytest.mark.parametrize(
    "program",
    [
        "open('a', 'w').write('x' * 600), open('b', 'w').write('x' * 600)",
        "open('a', 'w').write('x' * 20_000_000)",
        "[open(f'{n}.txt', 'w').close() for n in range(400)]",
    ],
)
def test_of_too_much_nothing_is_left(run, program):
    left = run(program, keep_bytes=1000).leftovers

    assert left.excess.startswith("more than")
    assert (left.written, left.removed) == ({}, ())


def test_what_is_ended_leaves_nothing(run):
    program = "import time\nopen('a', 'w').write('a')\ntime.sleep(60)"

    assert run(program, seconds=1, keep_bytes=1000).leftovers is None


def test_a_file_larger_than_the_limit_is_refused(run):
    source = refusal_of("open('a', 'wb').write(b'x' * 33 * 1024 * 1024)")
    assert run(source).output == "OSError\n"


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_secret_file_of_ours_cannot_be_read(run, tmp_path, mode):
    secret = tmp_path / ".env"
    secret.write_text("SECRET_KEY=1")
    secret.chmod(mode)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    assert run(refusal_of(f"open('{secret}').read()")).output.strip() in (
        "FileNotFoundError",
        "PermissionError",
    )


def test_the_project_itself_cannot_be_read(run):
    source = refusal_of(f"open('{Path(sandbox_run.__file__)}').read()")
    assert run(source).output.strip() in ("FileNotFoundError", "PermissionError")


@pytest.mark.parametrize("secret", ["environ", "mem", "cmdline", "maps", "fd/0"])
def test_our_process_cannot_be_looked_into(run, secret):
    result = run(refusal_of(f"open('/proc/{os.getpid()}/{secret}').read()"))
    assert result.output.strip() in ("FileNotFoundError", "PermissionError")


def test_our_process_cannot_be_signalled_or_limited(run):
    source = (
        "import os, resource\n"
        f"for act in (lambda: os.kill({os.getpid()}, 0), lambda: os.kill(os.getppid(), 9),\n"
        f"            lambda: resource.prlimit({os.getpid()}, resource.RLIMIT_NOFILE, (9, 9))):\n"
        "    try:\n        act(); print('done')\n"
        "    except OSError:\n        print('refused')\n"
        "    except SystemError:\n        print('refused')\n"
    )
    result = run(source)
    assert result.exit_code == 0
    # The first process of a namespace cannot be killed from inside: the signal is dropped.
    assert result.output.split()[0::2] == ["refused", "refused"]


def test_it_runs_without_rights_and_cannot_get_any(run):
    source = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None)\n"
        "print(os.getuid() != 0, libc.unshare(0x10000000), libc.mount(0, b'/', 0, 32, 0),"
        " libc.prctl(39, 0, 0, 0, 0))\n"
    )
    assert run(source).output == "True -1 -1 1\n"


def test_nothing_is_left_on_disk(run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    run("import os; os.makedirs('a/b'); os.chmod('a/b', 0); os.chmod('a', 0)")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        "../a.py",
        "/etc/a.py",
        "a/../../b",
        "",
        ".",
        "a//b",
        "a\\b",
        "a\0b",
        "a\nb",
        "x" * 256,
        "\ud800",
    ],
)
def test_a_path_out_of_the_folder_is_refused(path):
    with pytest.raises(PermanentError) as refused:
        run_program({path: ""}, command=PYTHON, timeout_seconds=5, memory_megabytes=100)
    assert refused.value.code == "sandbox_bad_path"


def test_a_path_that_is_file_and_folder_at_once_is_refused():
    with pytest.raises(PermanentError) as refused:
        run_program({"a": "", "a/b": ""}, command=PYTHON, timeout_seconds=5, memory_megabytes=100)
    assert refused.value.code == "sandbox_bad_path"


def test_too_large_a_program_is_refused():
    with pytest.raises(PermanentError) as refused:
        run_program(
            {"a": "x" * 17_000_000}, command=PYTHON, timeout_seconds=5, memory_megabytes=100
        )
    assert refused.value.code == "sandbox_too_large"


def test_a_machine_without_walls_runs_nothing(monkeypatch):
    monkeypatch.setattr(sandbox_run, "MODES", ())
    with pytest.raises(PermanentError) as refused:
        run_program({"main.py": ""}, command=PYTHON, timeout_seconds=5, memory_megabytes=100)
    assert refused.value.code == "sandbox_unavailable"


@override_settings(SANDBOX_ALLOW_NETWORK=True, SANDBOX_ALLOW_FILES=True)
def test_permission_to_go_without_walls_takes_none_away(run):
    assert run("").isolation["network"] != "none"


@pytest.mark.skipif(not sandbox_run.MODES, reason="no walls on this system")
def test_a_program_does_not_outlive_the_worker_that_started_it(tmp_path):
    marker = f"sandbox-orphan-{os.getpid()}-{time.monotonic_ns()}"
    program = f"import time; print('{marker}'); time.sleep(99)"
    script = (
        "import django; django.setup()\n"
        "from agents.sandbox import run_program\n"
        f"run_program({{'main.py': {program!r}}}, command=('python', 'main.py', '{marker}'),"
        " timeout_seconds=99, memory_megabytes=200)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    _wait_until(lambda: len(_running(marker)) > 0)
    worker.kill()
    worker.wait()
    _wait_until(lambda: not _running(marker))


def _running(marker):
    """Programs, not the worker, whose command line holds the script."""
    found = psutil.process_iter(["cmdline"])
    return [p for p in found if (p.info["cmdline"] or ("",))[-1] == marker]


def _wait_until(fact):
    deadline = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)
