"""The program as a whole."""

import ast
import subprocess
import sys

from support import ROOT, LibraryTest


class ProgramTest(LibraryTest):
    def test_nfr_1_it_starts_from_the_command_line(self):
        command = [sys.executable, str(ROOT / "main.py"), "--file", str(self.folder / "a.json")]
        result = subprocess.run([*command, "books"], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout), (0, "No books yet.\n"))

    def test_nfr_1_it_needs_python_alone_and_no_network(self):
        own = {"library"}
        for path in [ROOT / "main.py", *(ROOT / "library").glob("*.py")]:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in getattr(node, "names", [])]
                if isinstance(node, ast.ImportFrom):
                    names = [node.module]
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    roots = {name.split(".")[0] for name in names}
                    self.assertLessEqual(roots, sys.stdlib_module_names | own)
                    self.assertFalse(roots & {"socket", "ssl", "urllib", "http", "smtplib"})

    def test_nfr_2_what_was_entered_is_there_in_the_next_session_in_one_file(self):
        self.add_books(1)
        self.done("add-member", "Ada", "555 1")
        self.done("lend", "1", "1")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["library.json"])
        self.assertIn("Book 1", self.done("lent-to", "1"))

    def test_nfr_3_mistakes_are_explained(self):
        self.assertIn("no year", self.refused("add-book", "1", "Dune", "Herbert", "196x"))
        self.assertIn("no member 9", self.refused("lent-to", "9"))
        self.assertIn("no book", self.refused("return", "99"))
        self.assertIn("--help", self.refused("lned", "1", "1"))
        self.assertIn("--help", self.refused("lend", "1"))
