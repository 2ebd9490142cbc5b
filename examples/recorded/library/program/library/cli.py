"""The commands that volunteers type."""

import argparse
import csv
import sys
from datetime import date

from library import catalogue, lending
from library.store import Mistake, Store


def main(arguments=None):
    """Runs one command; the exit status is 1 after a mistake."""
    try:
        options = _parser().parse_args(arguments)
        today = _day(options.today)
        store = Store(options.file)
        for line in options.run(store, options, today):
            print(line)
        store.save()
    except Mistake as mistake:
        print(f"Sorry: {mistake}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Sorry: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Mistake(f"{message}. {self.prog} --help shows how.")


def _parser():
    parser = _Parser(prog="main.py", description="The lending library, on one laptop.")
    parser.add_argument("--file", default="library.json", help="where all is kept")
    parser.add_argument("--today", default="", help="another day than today, such as 2024-03-01")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, text, *arguments, default=None):
        added = commands.add_parser(name, help=text)
        for argument in arguments:
            optional = {"default": default} if argument.startswith("--") else {}
            added.add_argument(argument, **optional)
        added.set_defaults(run=run)

    command("add-book", _add_book, "a new book", "isbn", "title", "author", "year")
    command("add-member", _add_member, "a new member", "name", "phone", "--email",
            default="")  # fmt: skip
    command("correct-book", _correct_book, "put a book right", "isbn",
            "--title", "--author", "--year")  # fmt: skip
    command("correct-member", _correct_member, "put a member right", "member",
            "--name", "--phone", "--email")  # fmt: skip
    command("remove-book", _remove_book, "a book that fell apart", "isbn")
    command("search", _search, "books by title or author", "words")
    command("books", _books, "all books, sorted by title")
    command("members", _members, "all members")
    command("lend", _lend, "a member borrows a book", "isbn", "member")
    command("return", _return, "a book comes back", "isbn")
    command("overdue", _overdue, "loans past their day")
    command("lent-to", _lent_to, "what a member has", "member")
    command("authors", _authors, "how many books by each author")
    command("export", _export, "all books as a CSV file", "csv_file")
    return parser


def _add_book(store, options, today):
    catalogue.add_book(store, options.isbn, options.title, options.author, options.year)
    yield f"Added: {_line(options.isbn, store.book(options.isbn))}"


def _add_member(store, options, today):
    number = catalogue.add_member(store, options.name, options.phone, options.email)
    yield f"Added: member {number}, {options.name}"


def _correct_book(store, options, today):
    changes = {field: getattr(options, field) for field in catalogue.BOOK_FIELDS}
    catalogue.correct(store.book(options.isbn), catalogue.BOOK_FIELDS, changes)
    yield f"Corrected: {_line(options.isbn, store.book(options.isbn))}"


def _correct_member(store, options, today):
    changes = {field: getattr(options, field) for field in catalogue.MEMBER_FIELDS}
    catalogue.correct(store.member(options.member), catalogue.MEMBER_FIELDS, changes)
    yield f"Corrected: member {options.member}, {store.member(options.member)['name']}"


def _remove_book(store, options, today):
    catalogue.remove_book(store, options.isbn)
    yield "Removed."


def _search(store, options, today):
    rows = catalogue.search(store, options.words)
    return [_line(isbn, book) for isbn, book in rows] or ["No such book."]


def _books(store, options, today):
    return [_line(isbn, book) for isbn, book in catalogue.sorted_books(store)] or ["No books yet."]


def _members(store, options, today):
    for number, member in store.members.items():
        yield "  ".join(filter(None, (number, member["name"], member["phone"], member["email"])))


def _lend(store, options, today):
    due = lending.lend(store, options.isbn, options.member, today)
    yield f"Lent. It is due on {due.isoformat()}."


def _return(store, options, today):
    cents = lending.bring_back(store, options.isbn, today)
    yield f"Back. Late fee: {cents // 100}.{cents % 100:02}" if cents else "Back, and in time."


def _overdue(store, options, today):
    for isbn, loan in lending.overdue(store, today):
        member = store.member(loan["member"])
        yield f"{loan['due']}  {store.book(isbn)['title']}  {member['name']}, {member['phone']}"


def _lent_to(store, options, today):
    for isbn, loan in lending.loans_of(store, options.member):
        yield f"{_line(isbn, store.book(isbn))}  due {loan['due']}"


def _authors(store, options, today):
    return [f"{number:4}  {author}" for author, number in catalogue.books_by_author(store)]


def _export(store, options, today):
    with open(options.csv_file, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["isbn", *catalogue.BOOK_FIELDS])
        for isbn, book in catalogue.sorted_books(store):
            writer.writerow([isbn, *(book[field] for field in catalogue.BOOK_FIELDS)])
    yield f"Written: {len(store.books)} books to {options.csv_file}"


def _line(isbn, book):
    return f"{isbn}  {book['title']}, {book['author']} ({book['year']})"


def _day(text):
    try:
        return date.fromisoformat(text) if text else date.today()
    except ValueError:
        raise Mistake(f"{text} is no day. Write it as 2024-03-01.") from None
