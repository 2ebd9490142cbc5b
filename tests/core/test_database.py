"""What is an outage of the database, and what is an error of ours."""

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from core.database import is_database_away, is_disk_full

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{}'; END $$"


def error_with(sqlstate: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as raised, connection.cursor() as cursor:
        cursor.execute(RAISE.format(sqlstate))
    return raised.value


@pytest.mark.django_db
@pytest.mark.parametrize("sqlstate", ["08006", "53300", "57P01", "57P02", "57P03"])
def test_a_database_that_is_stopped_full_or_cut_off_is_away(sqlstate):
    assert is_database_away(error_with(sqlstate))


@pytest.mark.django_db
@pytest.mark.parametrize("sqlstate", ["40P01", "55P03", "57014", "23505", "42P01"])
def test_what_the_database_refused_is_ours_to_mend(sqlstate):
    assert not is_database_away(error_with(sqlstate))


@pytest.mark.parametrize("error", [OperationalError("no route"), InterfaceError("closed")])
def test_a_connection_that_could_not_be_made_has_no_code(error):
    assert is_database_away(error)


@pytest.mark.django_db
def test_a_full_disk_is_no_outage():
    error = error_with("53100")

    assert is_disk_full(error)
    assert not is_database_away(error)
    assert not is_disk_full(error_with("53300"))


def test_nothing_is_not_an_outage():
    assert not is_disk_full(None)
    assert not is_database_away(None)
    assert not is_database_away(ValueError())
