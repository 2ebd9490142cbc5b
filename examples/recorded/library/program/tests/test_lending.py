"""Loans, and what one keeps an eye on."""

from support import LibraryTest


class LendingTest(LibraryTest):
    def setUp(self):
        super().setUp()
        self.add_books(7)
        self.done("add-member", "Ada", "555 1")
        self.done("add-member", "Bob", "555 2")

    def test_fr_7_a_member_borrows_a_book_from_the_shelf(self):
        self.done("lend", "1", "1")
        self.assertIn("Book 1", self.done("lent-to", "1"))

    def test_fr_8_a_lent_book_is_not_lent_again_before_it_is_back(self):
        self.done("lend", "1", "1")
        self.assertIn("lent out already", self.refused("lend", "1", "2"))
        self.assertEqual(self.done("lent-to", "2"), "")

    def test_fr_9_five_books_are_lent_and_a_sixth_is_not(self):
        for isbn in "12345":
            self.done("lend", isbn, "1")
        self.assertIn("5 books", self.refused("lend", "6", "1"))
        self.done("lend", "6", "2")

    def test_fr_10_a_loan_lasts_21_days_and_the_day_is_told(self):
        self.assertIn("2024-03-22", self.done("lend", "1", "1"))

    def test_fr_11_a_book_that_came_back_is_borrowed_again(self):
        self.done("lend", "1", "1")
        self.done("return", "1")
        self.done("lend", "1", "2")
        self.assertIn("Book 1", self.done("lent-to", "2"))

    def test_fr_12_who_has_an_overdue_book_borrows_none_until_it_is_back(self):
        self.done("lend", "1", "1")
        self.today = "2024-03-22"
        self.done("lend", "2", "1")
        self.today = "2024-03-23"
        self.assertIn("Book 1", self.refused("lend", "3", "1"))
        self.done("return", "1")
        self.done("lend", "3", "1")

    def test_fr_13_each_late_day_costs_ten_cents_shown_on_return(self):
        self.done("lend", "1", "1")
        self.done("lend", "2", "1")
        self.today = "2024-03-22"
        self.assertIn("in time", self.done("return", "1"))
        self.today = "2024-04-02"
        self.assertIn("1.10", self.done("return", "2"))

    def test_fr_14_overdue_loans_are_listed_and_no_others(self):
        self.done("lend", "1", "1")
        self.today = "2024-03-20"
        self.done("lend", "2", "2")
        self.today = "2024-03-23"
        self.assertEqual(self.done("overdue"), "2024-03-22  Book 1  Ada, 555 1\n")

    def test_fr_15_what_is_lent_to_a_member_is_listed(self):
        self.done("lend", "1", "1")
        self.done("lend", "2", "2")
        shown = self.done("lent-to", "1")
        self.assertIn("Book 1", shown)
        self.assertIn("2024-03-22", shown)
        self.assertNotIn("Book 2", shown)
