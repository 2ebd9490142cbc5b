"""Search by meaning, on a PostgreSQL that has pgvector: the embedded one has it."""

import os

import psycopg
import pytest
from django.db import connection

from ops.database_roles import grant_rights
from semantic.storage import EXTENSION, STATEMENTS
from tests.databases import administrator
from tests.openai_server import OpenAIServer

MEANINGS = (
    {"car", "automobile", "vehicle", "vehicles", "cars"},
    {"book", "novel", "books", "reading"},
    {"garden", "tree", "trees", "plants"},
)


def meaning_of(text):
    """A vector by what a text is about: what a model would do, with words that we can follow."""
    words = [word.strip(".,#").lower() for word in text.split()]
    return [0.01 + sum(word in group for word in words) for group in MEANINGS]


@pytest.fixture(scope="session")
def has_vector(django_db_setup):
    """The table stays until the end of the session: the application could not make it."""
    name, owner = connection.settings_dict["NAME"], administrator()
    make_extension(name, owner)
    for statement in STATEMENTS:
        owner.execute(statement)
    application = connection.settings_dict["USER"]
    grant_rights(owner, application=application, owner=owner.info.user)


def make_extension(database, plain):
    """By the superuser of the tests' own server, or else as whoever we are."""
    create = f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}"
    try:
        if superuser := os.environ.get("TESTS_SUPERUSER"):
            with psycopg.connect(superuser, dbname=database, autocommit=True) as server:
                server.execute(create)
        else:
            plain.execute(create)
    except psycopg.Error as error:
        pytest.skip(f"pgvector cannot be had on this server: {error}")


@pytest.fixture
def server():
    with OpenAIServer() as running:
        running.embedding = meaning_of
        yield running


@pytest.fixture
def semantic(db, has_vector, server, settings):
    """Switched on: the table is there, and a model answers."""
    settings.SEMANTIC_SEARCH = True
    settings.EMBEDDING_MODEL = "openai:test-embedding"
    settings.EMBEDDING_API_KEY = "key-of-embeddings"
    settings.EMBEDDING_BASE_URL = server.base_url
    return server
