"""The program, run by its commands on a file of its own."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from library.cli import main  # noqa: E402


class LibraryTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.today = "2024-03-01"

    def run_command(self, *words):
        """(exit status, what was shown)"""
        options = ["--file", str(self.folder / "library.json"), "--today", self.today]
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            status = main([*options, *words])
        return status, shown.getvalue()

    def done(self, *words):
        status, shown = self.run_command(*words)
        self.assertEqual(status, 0, shown)
        return shown

    def refused(self, *words):
        status, shown = self.run_command(*words)
        self.assertEqual(status, 1, shown)
        self.assertTrue(shown.startswith("Sorry: "), shown)
        return shown

    def add_books(self, number):
        for n in range(1, number + 1):
            self.done("add-book", str(n), f"Book {n}", f"Author {n}", "1990")
