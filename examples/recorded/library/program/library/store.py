"""All that is known, in one JSON file."""

import json
import os
from pathlib import Path


class Mistake(Exception):
    """Something the volunteer can put right; the text says what."""


class Store:
    """Books by ISBN, members by number, and the loans that are open."""

    def __init__(self, path):
        self.path = Path(path)
        self.books, self.members, self.loans = {}, {}, {}
        if self.path.exists():
            try:
                data = json.loads(self.path.read_text(encoding="utf-8"))
                self.books, self.members, self.loans = (
                    data[name] for name in ("books", "members", "loans")
                )
            except (ValueError, KeyError, TypeError):
                raise Mistake(f"{self.path} is not a file of this program.") from None

    def save(self):
        """To a second file first, so that a power cut never leaves half a file."""
        data = {"books": self.books, "members": self.members, "loans": self.loans}
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(json.dumps(data, ensure_ascii=False, indent=2), encoding="utf-8")
        os.replace(fresh, self.path)

    def book(self, isbn):
        if isbn not in self.books:
            raise Mistake(f"There is no book with the ISBN {isbn}. Look it up with: search WORDS")
        return self.books[isbn]

    def member(self, number):
        if number not in self.members:
            raise Mistake(f"There is no member {number}. List them with: members")
        return self.members[number]
