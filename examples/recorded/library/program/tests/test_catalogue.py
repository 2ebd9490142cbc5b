"""Books and members."""

from support import LibraryTest


class CatalogueTest(LibraryTest):
    def test_fr_1_a_book_has_title_author_year_and_isbn(self):
        self.done("add-book", "978-1", "Dune", "Herbert", "1965")
        self.assertEqual(self.done("books"), "978-1  Dune, Herbert (1965)\n")

    def test_fr_1_no_two_books_share_an_isbn(self):
        self.done("add-book", "978-1", "Dune", "Herbert", "1965")
        self.assertIn("978-1", self.refused("add-book", "978-1", "Emma", "Austen", "1815"))
        self.assertNotIn("Emma", self.done("books"))

    def test_fr_2_a_member_has_name_and_phone_and_may_have_an_email_address(self):
        self.done("add-member", "Ada", "555 1")
        self.done("add-member", "Bob", "555 2", "--email", "bob@example.org")
        self.assertEqual(self.done("members"), "1  Ada  555 1\n2  Bob  555 2  bob@example.org\n")

    def test_fr_3_a_book_and_a_member_are_corrected(self):
        self.done("add-book", "1", "Dnue", "Herbert", "1965")
        self.done("add-member", "Adda", "555 1")
        self.done("correct-book", "1", "--title", "Dune")
        self.done("correct-member", "1", "--name", "Ada")
        self.assertEqual(self.done("books"), "1  Dune, Herbert (1965)\n")
        self.assertEqual(self.done("members"), "1  Ada  555 1\n")

    def test_fr_4_a_book_is_removed_but_not_while_it_is_lent(self):
        self.add_books(2)
        self.done("add-member", "Ada", "555 1")
        self.done("lend", "1", "1")
        self.assertIn("lent out", self.refused("remove-book", "1"))
        self.done("remove-book", "2")
        self.assertEqual(self.done("books"), "1  Book 1, Author 1 (1990)\n")

    def test_fr_5_books_are_found_by_title_and_by_author(self):
        self.done("add-book", "1", "Dune", "Herbert", "1965")
        self.done("add-book", "2", "Emma", "Austen", "1815")
        self.assertEqual(self.done("search", "dun"), "1  Dune, Herbert (1965)\n")
        self.assertEqual(self.done("search", "AUSTEN"), "2  Emma, Austen (1815)\n")

    def test_fr_6_all_books_are_listed_by_title(self):
        for isbn, title in (("1", "Walden"), ("2", "emma"), ("3", "Dune")):
            self.done("add-book", isbn, title, "A", "1990")
        titles = [line.split("  ")[1].split(",")[0] for line in self.done("books").splitlines()]
        self.assertEqual(titles, ["Dune", "emma", "Walden"])

    def test_fr_16_books_are_counted_by_author(self):
        for isbn, author in (("1", "Herbert"), ("2", "Austen"), ("3", "Austen")):
            self.done("add-book", isbn, f"Book {isbn}", author, "1990")
        self.assertEqual(self.done("authors"), "   2  Austen\n   1  Herbert\n")

    def test_fr_17_books_are_exported_to_a_csv_file(self):
        self.done("add-book", "1", "Dune, part one", "Herbert", "1965")
        path = self.folder / "books.csv"
        self.done("export", str(path))
        lines = path.read_text(encoding="utf-8").splitlines()
        self.assertEqual(lines, ["isbn,title,author,year", '1,"Dune, part one",Herbert,1965'])
