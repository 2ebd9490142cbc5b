"""How riders and the office use it."""

import ast
import subprocess
import sys

from support import ROOT, PriceTest


class ProgramTest(PriceTest):
    def test_fr_14_weight_and_distance_are_enough(self):
        self.assertEqual(self.price("3", "5"), "10.90")

    def test_fr_15_the_price_is_shown_line_by_line(self):
        lines = self.lines("3", "5", "--fragile", "--member")
        amounts = [line.split()[0] for line in lines]
        self.assertEqual(amounts, ["6.90", "4.00", "2.50", "-1.34", "12.06"])
        self.assertIn("Fragile", lines[2])

    def test_fr_16_the_rules_are_listed(self):
        status, shown = self.run_program("rules")
        self.assertEqual((status, len(shown.splitlines())), (0, 13))
        for amount in ("4.90", "14.80", "0.80", "6.50", "8.00", "2.50", "3.20", "10 %", "6.00"):
            self.assertIn(amount, shown)

    def test_fr_17_many_parcels_are_priced_from_a_csv_file(self):
        path = self.folder() / "parcels.csv"
        rows = "weight,distance,express,member\n3,5,,\n30,1,no,no\nx,1,,\n10,2,yes,yes\n"
        path.write_text(rows, encoding="utf-8")
        status, shown = self.run_program("file", str(path))
        lines = shown.splitlines()
        self.assertEqual((status, len(lines)), (0, 4))
        self.assertEqual((lines[0], lines[3]), ("line 2: 10.90 EUR", "line 5: 17.10 EUR"))
        self.assertIn("heavier than 25 kg", lines[1])
        self.assertIn("no number", lines[2])

    def test_nfr_1_wrong_input_is_explained(self):
        for weight in ("heavy", "-1", "nan", "0"):
            shown = self.refused("price", "--weight", weight, "--distance", "1")
            self.assertIn("The weight", shown)
        self.assertIn("--distance", self.refused("price", "--weight", "1"))

    def test_nfr_2_it_starts_in_the_terminal(self):
        words = ["price", "--weight", "3", "--distance", "5"]
        command = [sys.executable, str(ROOT / "main.py"), *words]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("10.90  EUR in total", result.stdout)

    def test_nfr_2_it_needs_python_alone(self):
        for path in [ROOT / "main.py", *(ROOT / "prices").glob("*.py")]:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in getattr(node, "names", [])]
                if isinstance(node, ast.ImportFrom):
                    names = [node.module]
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    roots = {name.split(".")[0] for name in names}
                    self.assertLessEqual(roots, sys.stdlib_module_names | {"prices"})
