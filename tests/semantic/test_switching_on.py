import os
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings as project_settings

from semantic import checks
from tests.databases import with_owner
from tests.semantic.conftest import make_extension
from tests.test_migrations import migrated_database, tables

__all__ = ["migrated_database"]

# In one process, for it is its start that takes long.
ON_OFF_AND_ON = """
import os
import django
django.setup()
from django.core.management import call_command
from tests.test_migrations import tables
for target in ((), ("semantic", "zero"), ()):
    call_command("migrate", *target, verbosity=0)
    print("context_embeddings" in tables(os.environ["DATABASE_URL"]))
call_command("embed_texts")
"""
ON = {"SEMANTIC_SEARCH": "true", "EMBEDDING_MODEL": "openai:test-embedding"}


def test_a_model_must_be_named(settings):
    for name, ids in (
        ("", ["paraph.E010"]),
        ("small", ["paraph.E010"]),
        ("openai:m", []),
    ):
        settings.EMBEDDING_MODEL = name
        assert [error.id for error in checks.check_model(None)] == ids


def test_a_server_without_the_extension_is_named_with_the_remedy(db, monkeypatch):
    monkeypatch.setattr(checks, "EXTENSION", "no_such_extension")

    (error,) = checks.check_extension(None, databases=["default"])

    assert error.id == "paraph.E011"
    assert "Install pgvector" in error.hint
    assert "SEMANTIC_SEARCH=false" in error.hint


def run(url, *command, **environment):
    return subprocess.run(
        [sys.executable, *command],
        env=os.environ | with_owner(url) | environment,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=project_settings.BASE_DIR,
    )


@pytest.mark.slow
def test_the_table_is_there_only_where_it_was_switched_on(migrated_database):
    assert "context_embeddings" not in tables(migrated_database)

    refused = run(migrated_database, "manage.py", "migrate", "-v0", **ON)
    assert refused.returncode != 0
    assert "paraph.E011" in refused.stderr
    assert "CREATE EXTENSION vector" in refused.stderr

    with psycopg.connect(migrated_database, autocommit=True) as plain:
        make_extension(plain.info.dbname, plain)
    done = run(migrated_database, "-c", ON_OFF_AND_ON, **ON)
    assert done.stdout.split("\n") == ["True", "False", "True", "0 texts embedded.", ""], (
        done.stderr
    )
