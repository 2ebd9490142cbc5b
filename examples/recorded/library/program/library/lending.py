"""Loans: what may be lent, when it is due, and what it costs when it is late."""

from datetime import date, timedelta

from library.store import Mistake

LOAN_DAYS = 21
MOST_BOOKS = 5
CENTS_A_DAY = 10


def lend(store, isbn, number, today):
    """Lends the book; returns the day on which it is due."""
    book, member = store.book(isbn), store.member(number)
    if isbn in store.loans:
        due = store.loans[isbn]["due"]
        raise Mistake(f"{book['title']} is lent out already and due on {due}.")
    own = loans_of(store, number)
    late = [isbn for isbn, loan in own if date.fromisoformat(loan["due"]) < today]
    if late:
        title = store.book(late[0])["title"]
        raise Mistake(f"{member['name']} has to bring back first what is overdue: {title}.")
    if len(own) >= MOST_BOOKS:
        raise Mistake(f"{member['name']} has {MOST_BOOKS} books already, and that is the most.")
    due = today + timedelta(days=LOAN_DAYS)
    store.loans[isbn] = {"member": number, "due": due.isoformat()}
    return due


def bring_back(store, isbn, today):
    """Takes the book back; returns the fee in cents."""
    book = store.book(isbn)
    if isbn not in store.loans:
        raise Mistake(f"{book['title']} is not lent out.")
    loan = store.loans.pop(isbn)
    return max((today - date.fromisoformat(loan["due"])).days, 0) * CENTS_A_DAY


def loans_of(store, number):
    store.member(number)
    return [(isbn, loan) for isbn, loan in store.loans.items() if loan["member"] == number]


def overdue(store, today):
    """Loans past their day, the longest first."""
    late = [item for item in store.loans.items() if date.fromisoformat(item[1]["due"]) < today]
    return sorted(late, key=lambda item: (item[1]["due"], item[0]))
