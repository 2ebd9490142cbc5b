"""What tests committed is deleted before the next one, only from those tables that have rows.

Django's own command truncates every table, makes its content types and permissions again, and needs
a tenth of a second for it. A TRUNCATE also waits for whatever still reads, as a server under test.
"""

from typing import Any

from django.core.management.commands import flush
from django.db import connections

# The append-only tables refuse it. Their owner may switch their triggers off: no superuser is
# needed. Deferred references must have been checked before they are switched on again.
EMPTY = """
DO $$
DECLARE
    name regclass;
    has_rows boolean;
    emptied regclass[] := '{}';
BEGIN
    FOR name IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            -- Filled by `migrate`; no test writes them.
            AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO has_rows;
        IF has_rows THEN
            emptied := emptied || name;
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', name);
        END IF;
    END LOOP;
    FOREACH name IN ARRAY emptied LOOP
        EXECUTE format('DELETE FROM %s', name);
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    FOREACH name IN ARRAY emptied LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', name);
    END LOOP;
END $$
"""


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        with connections[options["database"]].cursor() as cursor:
            cursor.execute(EMPTY)
