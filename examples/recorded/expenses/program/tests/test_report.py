"""What the report shows."""

from support import ReportTest

ROWS = (
    "01.05.2024;Rent;home;900,00",
    "02.05.2024;Tea;food;4,50",
    "03.05.2024;Bread;food;3,00",
    "04.06.2024;Lamp;home;300,00",
    "05.06.2024;Sofa;home;300,01",
    "06.06.2024;Bus;travel;20,00",
)


class TestReport(ReportTest):
    def test_fr_8_total_by_category(self):
        rows = self.section(self.report(*ROWS), "Total by category")
        self.assertEqual(rows, ["food: 7.50", "home: 1500.01", "travel: 20.00"])

    def test_fr_9_total_by_month(self):
        rows = self.section(self.report(*ROWS), "Total by month")
        self.assertEqual(rows, ["2024-05: 907.50", "2024-06: 620.01"])

    def test_fr_10_average_by_category(self):
        rows = self.section(self.report(*ROWS), "Average by category")
        self.assertEqual(rows, ["food: 3.75", "home: 500.00", "travel: 20.00"])

    def test_fr_11_rows_by_category(self):
        rows = self.section(self.report(*ROWS), "Rows by category")
        self.assertEqual(rows, ["food: 2", "home: 3", "travel: 1"])

    def test_fr_12_the_five_largest_amounts(self):
        rows = self.section(self.report(*ROWS), "The 5 largest amounts")
        self.assertEqual([row.split()[1] for row in rows], ["Rent", "Sofa", "Lamp", "Bus", "Tea"])

    def test_fr_13_amounts_above_300_are_shown_separately(self):
        rows = self.section(self.report(*ROWS), "Amounts above 300")
        self.assertEqual([row.split()[1] for row in rows], ["Rent", "Sofa"])

    def test_fr_14_the_total_of_all_amounts_stands_at_the_end(self):
        self.assertEqual(self.report(*ROWS).splitlines()[-1], "Total: 1527.51")

    def test_fr_15_a_single_month_is_chosen(self):
        shown = self.report(*ROWS, options=("--month", "2024-05"))
        self.assertIn("Total: 907.50", shown)
        self.assertNotIn("Sofa", shown)

    def test_fr_16_a_single_category_is_chosen(self):
        shown = self.report(*ROWS, options=("--category", "food"))
        self.assertIn("Total: 7.50", shown)
        self.assertNotIn("home", shown)

    def test_fr_17_the_report_is_saved_to_a_file_on_request(self):
        path = self.folder / "report.txt"
        shown = self.report(*ROWS, options=("--save", str(path)))
        self.assertEqual(path.read_text(encoding="utf-8"), shown)
