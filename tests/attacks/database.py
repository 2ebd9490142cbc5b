"""The database, as who administers it has it, and what verification says of it then."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection


def verify() -> str:
    out = StringIO()
    call_command("verify_audit", stdout=out, stderr=out)
    return out.getvalue()


def problems() -> str:
    out = StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("verify_audit", stdout=out, stderr=out)
    return f"{out.getvalue()}{refusal.value}"


def execute(statement: str, *values) -> None:
    """As a superuser of the database, past triggers and foreign keys."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT DISTINCT relname FROM pg_class JOIN pg_trigger ON tgrelid = pg_class.oid "
            "WHERE NOT tgisinternal AND relkind = 'r'"
        )
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
