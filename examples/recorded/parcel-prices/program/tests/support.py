"""The program, run by its commands."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from prices.cli import main  # noqa: E402


class PriceTest(unittest.TestCase):
    def run_program(self, *words):
        """(exit status, what was shown)"""
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            status = main(list(words))
        return status, shown.getvalue()

    def lines(self, weight, distance="0", *words):
        status, shown = self.run_program(
            "price", "--weight", weight, "--distance", distance, *words
        )
        self.assertEqual(status, 0, shown)
        return shown.splitlines()

    def price(self, *words):
        return self.lines(*words)[-1].split()[0]

    def refused(self, *words):
        status, shown = self.run_program(*words)
        self.assertEqual(status, 1, shown)
        return shown

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)
