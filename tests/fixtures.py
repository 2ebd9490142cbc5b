"""The fixed cast, and a project they share."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.db import transaction
from rest_framework.test import APIClient

from accounts.noted import note_tokens, note_users
from audit.actors import Actor
from projects.events import MEMBER_ADDED
from projects.models import Membership, Project
from projects.services import create_project
from projects.transaction import ProjectTransaction
from tests.live import WebServer, token_of

BRIEF = """# A lending library

Members borrow books. Librarians must be able to add books and lend them."""


def make_user(name: str, **fields: Any) -> User:
    """Was there before: the log of the installation tells nothing of it."""
    user = User(username=name, password=make_password(f"{name}-password"), **fields)
    return User.objects.bulk_create([user])[0]


def note_people() -> None:
    """From here on the log of the installation knows them, and their tokens."""
    note_users()
    note_tokens()


def allow(user: User, *codenames: str) -> None:
    """Give these permissions, which hold from the next request on."""
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def allow_to_stop_everything(user: User) -> None:
    allow(user, "stop_everything")


@pytest.fixture(scope="module")
def module_transaction(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What fixtures of a module write in here is there for each of its tests, as it was.

    Not for a module with tests that commit, or have the mark `administrator`.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def one_project(module_transaction: None) -> None:
    """For `usefixtures` of a module: its tests share owner, approver, viewer and their project.

    Each finds them as they were made; to make them is a third of what most tests do.
    """
    library_of(*map(make_user, ("owner", "approver", "viewer")))


@pytest.fixture
def owner(db: None, request: pytest.FixtureRequest) -> User:
    return of_the_cast("owner", request)


@pytest.fixture
def approver(db: None, request: pytest.FixtureRequest) -> User:
    return of_the_cast("approver", request)


@pytest.fixture
def viewer(db: None, request: pytest.FixtureRequest) -> User:
    return of_the_cast("viewer", request)


def of_the_cast(name: str, request: pytest.FixtureRequest) -> User:
    is_there = "one_project" in request.fixturenames
    return User.objects.get(username=name) if is_there else make_user(name)


@pytest.fixture
def outsider(db: None) -> User:
    return make_user("outsider")


@pytest.fixture
def staff(db: None) -> User:
    """Runs the installation: superuser, member of nothing."""
    return make_user("staff", is_staff=True, is_superuser=True)


@pytest.fixture
def make_project(owner: User, approver: User, viewer: User) -> Callable[..., Project]:
    """A project of the owner, with an approver and a viewer; a draft unless told otherwise."""

    return partial(library_of, owner, approver, viewer)


def library_of(owner: User, *members: User, **fields: Any) -> Project:
    """A project of the owner, whose members have the role of their name."""
    wanted = {"name": "Library", "brief": BRIEF, "auto_start": False} | fields
    project = create_project(actor=Actor.of_user(owner), **wanted)
    # As `add_member` leaves it, in one transaction: most tests begin with it.
    with ProjectTransaction(project.pk, Actor.of_user(owner)) as tx:
        Membership.objects.bulk_create(
            Membership(project=tx.project, user=user, role=user.username) for user in members
        )
        for user in members:
            tx.record(MEMBER_ADDED, user=user.pk, username=user.username, role=user.username)
    return project


@pytest.fixture
def project(make_project: Callable[..., Project], request: pytest.FixtureRequest) -> Project:
    if "one_project" in request.fixturenames:
        return Project.objects.select_related("created_by").earliest("created_at")
    return make_project()


@pytest.fixture
def client_of() -> Callable[[User], APIClient]:
    """An API client that is logged in by token."""

    def client(user: User) -> APIClient:
        api = APIClient()
        api.credentials(HTTP_AUTHORIZATION=f"Token {token_of(user)}")
        return api

    return client


@pytest.fixture(scope="session")
def web_server(django_db_setup: None) -> Iterator[WebServer]:
    """The product's server: one for all tests of a process, for its start takes a second."""
    server = WebServer()
    yield server
    server.stop()
