"""What a test has committed is gone when the next one begins."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection, transaction

from audit.models import Event
from tests.scenes import asked

pytestmark = pytest.mark.django_db(transaction=True)
KEPT = {"django_content_type", "auth_permission"}


@pytest.fixture(params=["first", "second"])
def has_rows(request):
    """The tables with rows at the start of a test."""
    models = [model for model in apps.get_models() if model._meta.managed]
    return {model._meta.db_table for model in models if model.objects.exists()}


def test_no_table_has_rows_of_the_test_before(has_rows, project):
    asked(project)

    assert has_rows == KEPT
    assert Permission.objects.filter(codename="view_project").exists()


@pytest.mark.usefixtures("has_rows")
def test_the_log_is_append_only_all_the_same(project):
    for statement in ("DELETE FROM event_log", "TRUNCATE event_log", "DELETE FROM event_streams"):
        with (
            pytest.raises(DatabaseError, match=r"permission denied|append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert Event.objects.exists()
