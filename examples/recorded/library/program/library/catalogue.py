"""Books and members: add, correct, remove, find."""

from collections import Counter

from library.store import Mistake

BOOK_FIELDS = ("title", "author", "year")
MEMBER_FIELDS = ("name", "phone", "email")


def add_book(store, isbn, title, author, year):
    if isbn in store.books:
        raise Mistake(f"There is a book with the ISBN {isbn} already.")
    store.books[isbn] = {"title": _text(title, "title"), "author": _text(author, "author"),
                         "year": _year(year)}  # fmt: skip


def add_member(store, name, phone, email=""):
    number = str(max(map(int, store.members), default=0) + 1)
    store.members[number] = {"name": _text(name, "name"), "phone": _text(phone, "phone"),
                             "email": email.strip()}  # fmt: skip
    return number


def correct(record, fields, changes):
    """Change only what is given."""
    given = {field: value for field, value in changes.items() if value is not None}
    if not given:
        raise Mistake(f"Say what to correct: {', '.join('--' + field for field in fields)}.")
    for field, value in given.items():
        if field == "year":
            record[field] = _year(value)
        else:
            record[field] = value.strip() if field == "email" else _text(value, field)


def remove_book(store, isbn):
    book = store.book(isbn)
    if isbn in store.loans:
        raise Mistake(f"{book['title']} is lent out; it can be removed when it is back.")
    del store.books[isbn]


def search(store, words):
    """Books whose title or author has the words, sorted by title."""
    part = words.casefold()
    return [
        (isbn, book)
        for isbn, book in sorted_books(store)
        if part in book["title"].casefold() or part in book["author"].casefold()
    ]


def sorted_books(store):
    return sorted(store.books.items(), key=lambda item: (item[1]["title"].casefold(), item[0]))


def books_by_author(store):
    """(author, how many books), sorted by author."""
    return sorted(Counter(book["author"] for book in store.books.values()).items())


def _text(value, field):
    if not value.strip():
        raise Mistake(f"The {field} must not be empty.")
    return value.strip()


def _year(value):
    if not (value.isdigit() and 1000 <= int(value) <= 2999):
        raise Mistake(f"{value} is no year. Write it with four digits, such as 1965.")
    return int(value)
