"""What is read, and what is left out."""

import ast
import subprocess
import sys

from support import ROOT, ReportTest

RENT = "01.05.2024;Rent;home;900,00"
TEA = "2024-05-02;Tea;food;4,50"


class FileTest(ReportTest):
    def test_fr_1_a_csv_file_with_four_columns_is_read(self):
        self.assertIn("Total: 904.50", self.report(RENT, TEA))

    def test_fr_1_the_order_of_the_columns_does_not_matter(self):
        shown = self.report("5;food;Tea;2024-05-02", head="amount;category;description;date")
        self.assertIn("Total: 5.00", shown)

    def test_fr_2_values_are_separated_by_commas_as_well(self):
        shown = self.report(
            '2024-05-02,"Tea, green",food,4.50', head="date,description,category,amount"
        )
        self.assertIn("Tea, green (food): 4.50", shown)

    def test_fr_3_dates_come_in_both_forms(self):
        shown = self.report("31.05.2024;Tea;food;1", "2024-05-31;Jam;food;2")
        self.assertEqual(self.section(shown, "Total by month"), ["2024-05: 3.00"])

    def test_fr_4_amounts_may_have_a_decimal_comma(self):
        self.assertIn("Total: 1234.50", self.report("01.05.2024;Rent;home;1.234,50"))

    def test_fr_5_wrong_amounts_are_left_out_and_listed_with_their_line(self):
        shown = self.report(RENT, "02.05.2024;Jam;food;", "03.05.2024;Bus;travel;two", TEA)
        self.assertIn("Total: 904.50", shown)
        left_out = self.section(shown, "Rows left out")
        self.assertEqual([line.split(":")[0] for line in left_out], ["line 3", "line 4"])

    def test_fr_6_a_row_that_is_there_twice_counts_once(self):
        self.assertIn("Total: 904.50", self.report(RENT, TEA, RENT))

    def test_fr_7_spaces_around_values_are_removed(self):
        shown = self.report(" 01.05.2024 ;  Tea ; food  ; 4,50 ", TEA.replace("food", "food "))
        self.assertEqual(self.section(shown, "Total by category"), ["food: 9.00"])

    def test_nfr_1_it_starts_from_the_command_line(self):
        path = self.folder / "movements.csv"
        path.write_text(f"date;description;category;amount\n{RENT}\n", encoding="utf-8")
        command = [sys.executable, str(ROOT / "main.py"), str(path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Total: 900.00", result.stdout)

    def test_nfr_1_it_uses_no_network(self):
        for path in [ROOT / "main.py", *(ROOT / "expenses").glob("*.py")]:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in getattr(node, "names", [])]
                if isinstance(node, ast.ImportFrom):
                    names = [node.module]
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    roots = {name.split(".")[0] for name in names}
                    self.assertFalse(roots & {"socket", "ssl", "urllib", "http", "smtplib"})

    def test_nfr_2_a_missing_file_is_explained(self):
        status, shown = self.run_program(str(self.folder / "none.csv"))
        self.assertEqual(status, 1)
        self.assertIn("There is no file", shown)

    def test_nfr_2_missing_columns_are_explained(self):
        path = self.folder / "other.csv"
        path.write_text("name;size\nTea;3\n", encoding="utf-8")
        status, shown = self.run_program(str(path))
        self.assertEqual(status, 1)
        self.assertIn("no column date", shown)
