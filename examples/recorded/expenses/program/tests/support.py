"""The program, run on a CSV file of its own."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from expenses.cli import main  # noqa: E402

HEAD = "date;description;category;amount"


class ReportTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_program(self, *words):
        """(exit status, what was shown)"""
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            status = main(list(words))
        return status, shown.getvalue()

    def report(self, *rows, options=(), head=HEAD):
        path = self.folder / "movements.csv"
        path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
        status, shown = self.run_program(str(path), *options)
        self.assertEqual(status, 0, shown)
        return shown

    def section(self, shown, title):
        """The lines below a title, up to the next empty line."""
        lines = shown.splitlines()
        first = lines.index(title) + 1
        return [line.strip() for line in lines[first : lines.index("", first)]]
