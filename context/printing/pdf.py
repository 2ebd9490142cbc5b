"""The assembled document as PDF, set by Typst: a library in one wheel that needs nothing else.

It cannot be interrupted and may take gigabytes, so it runs in a process of its own: this file.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("document.typ")
# The full document of prose takes 2 s; the worst that fits, lines of code, 25 s.
SECONDS = 50.0
MEMORY_BYTES = 4 * 1024**3
# Fonts are looked for in the person's folders, too. Nothing else of the environment is needed.
ENVIRONMENT = ("HOME", "PATH", "LANG", "SYSTEMROOT")
# A long document takes hundreds of megabytes while it is set.
_one_at_a_time = threading.Lock()


class TooLong(Exception):
    """It could not be set in type within the time and memory that it may take."""


def print_pdf(document: dict[str, Any], seconds: float = SECONDS) -> bytes:
    """The bytes depend on nothing but the document and the fonts of this machine.

    Raises TooLong, after so many seconds and the time that others take before.
    """
    text = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    with _one_at_a_time:
        try:
            done = subprocess.run(
                [sys.executable, "-P", __file__, str(int(seconds) + 1)],
                input=text,
                capture_output=True,
                timeout=seconds,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            )
        except subprocess.TimeoutExpired as error:
            raise TooLong from error
    if done.returncode < 0 or (done.returncode and b"memory" in done.stderr.lower()):
        raise TooLong
    if done.returncode:
        raise RuntimeError(f"Typst failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def main(cpu_seconds: int) -> None:
    import resource

    # Of two cores at most; also for one whose parent was killed.
    resource.setrlimit(resource.RLIMIT_CPU, (2 * cpu_seconds, 2 * cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Only this process pays for the library.
    import typst

    document = sys.stdin.buffer.read().decode()
    pdf = typst.compile(TEMPLATE.read_bytes(), format="pdf", sys_inputs={"document": document})
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    main(int(sys.argv[1]))
