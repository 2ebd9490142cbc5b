"""Tokens of before were kept as they are, in the table of `rest_framework.authtoken`.

They go on opening what they opened, until they expire. The old rows stay for the processes of the
release before, which may still run; `accounts.plain_tokens` deletes them an hour later.
"""

from django.conf import settings
from django.db import migrations

COPY = """
    INSERT INTO personal_tokens
        (id, user_id, name, scopes, key_hash, password_mark, is_login, created_at, expires_at)
    SELECT gen_random_uuid(), old.user_id, 'From before tokens expired', '{read,decide,manage}',
        encode(sha256(convert_to(old.key, 'UTF8')), 'hex'),
        encode(sha256(convert_to('paraph.token.password:' || account.password, 'UTF8')), 'hex'),
        true, old.created, clock_timestamp() + make_interval(days => %s)
    FROM authtoken_token AS old JOIN auth_user AS account ON account.id = old.user_id
    ON CONFLICT (key_hash) DO NOTHING
"""


def copy(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('authtoken_token')")
        if cursor.fetchone()[0] is not None:
            cursor.execute(COPY, [settings.TOKEN_DAYS])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_personal_tokens")]
    operations = [migrations.RunPython(copy, migrations.RunPython.noop)]
