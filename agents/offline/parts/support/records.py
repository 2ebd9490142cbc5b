"""Run the program as a person would, each test with a folder of its own."""

import ast
import io
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from pathlib import Path

from PACKAGE.cli import main

ROOT = Path(__file__).resolve().parent.parent


class ProgramTest(unittest.TestCase):
    """Commands run in this process; the records live in a temporary folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_program(self, *words, today="2024-03-01"):
        out = io.StringIO()
        where = ["--data", str(self.folder / "data.json"), "--today", today]
        with redirect_stderr(out):
            try:
                code = main([*where, *words], out=out)
            except SystemExit as stop:
                code = stop.code
        return code, out.getvalue()

    def works(self, *words, today="2024-03-01"):
        code, text = self.run_program(*words, today=today)
        self.assertEqual(code, 0, text)
        return text

    def refused(self, *words, today="2024-03-01"):
        code, text = self.run_program(*words, today=today)
        self.assertNotEqual(code, 0, text)
        self.assertNotIn("Traceback", text)
        return text

    def lines(self, *words, today="2024-03-01"):
        return self.works(*words, today=today).splitlines()

    def imported_modules(self):
        found = set()
        for path in [ROOT / "main.py", *(ROOT / "PACKAGE").glob("*.py")]:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                if isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(node.module.split(".")[0])
        return found - {"PACKAGE"}

    def run_main_file(self, *words):
        command = [sys.executable, str(ROOT / "main.py"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)
