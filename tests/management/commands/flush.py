"""What tests committed is deleted before the next one, only from those tables that have rows.

Django's own command truncates every table, makes its content types and permissions again, and needs
a tenth of a second for it. A TRUNCATE also waits for whatever still reads, as a server under test.
"""

from typing import Any

from django.core.management.commands import flush

from tests.databases import administrator

# The append-only tables refuse it, and the application may not: their owner does it, without the
# triggers, and so without a look at references. Nothing that is kept refers to what goes.
EMPTY = """
DO $$
DECLARE
    name regclass;
    has_rows boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            -- Filled by `migrate`; no test writes them.
            AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', name) INTO has_rows;
        IF has_rows THEN
            EXECUTE format('DELETE FROM %s', name);
        END IF;
    END LOOP;
END $$
"""


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        administrator().execute(EMPTY)
