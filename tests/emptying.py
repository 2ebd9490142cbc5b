"""What tests committed is deleted before the next one, only from those tables that have rows.

Django truncates every table, makes its content types and permissions anew, and needs a tenth of a
second for it. A TRUNCATE also waits for whatever still reads, which a server under test may do.
"""

from django.db import connections
from django.test import TransactionTestCase

# The append-only tables refuse it. Their owner may switch their triggers off: no superuser is
# needed. Deferred references must have been checked before they are switched on again.
EMPTY = """
DO $$
DECLARE
    one regclass;
    has_rows boolean;
    emptied regclass[] := '{}';
BEGIN
    FOR one IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            -- Filled by `migrate`; no test writes them.
            AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', one) INTO has_rows;
        IF has_rows THEN
            emptied := emptied || one;
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', one);
        END IF;
    END LOOP;
    FOREACH one IN ARRAY emptied LOOP
        EXECUTE format('DELETE FROM %s', one);
    END LOOP;
    SET CONSTRAINTS ALL IMMEDIATE;
    FOREACH one IN ARRAY emptied LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', one);
    END LOOP;
END $$
"""


def empty_tables(case: TransactionTestCase) -> None:
    for name in case._databases_names(include_mirrors=False):
        with connections[name].cursor() as cursor:
            cursor.execute(EMPTY)
