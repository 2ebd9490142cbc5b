import json
import threading
import time
from pathlib import Path
from typing import Any


class Histories:
    """What clients have seen, line by line; `check_invariants --histories` reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, Any] = {}
        self._lock = threading.Lock()

    def note(self, name: str, **fields: Any) -> None:
        line = json.dumps({"at": time.time()} | fields)
        with self._lock:
            if name not in self._files:
                self._files[name] = (self.folder / f"{name}.jsonl").open("a", buffering=1)
            self._files[name].write(line + "\n")

    def close(self) -> None:
        for file in self._files.values():
            file.close()
