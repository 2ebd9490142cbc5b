"""Somebody has the application's database user: what it cannot do, which its owner can."""

import os
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction

from audit.models import Event
from audit.verification import verify_stream
from core.database import as_owner
from ops.database_roles import (
    HIDDEN_FROM_READER,
    Login,
    RolesError,
    hand_over,
    make_role,
    reader_of,
)
from tests.databases import administrator, url_of
from tests.scenes import asked, decide_as

pytestmark = pytest.mark.django_db(transaction=True)

REPLACE_GUARD = """
    CREATE OR REPLACE FUNCTION event_log_only_erase() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RETURN NEW; END $$
"""
FORGE = "UPDATE event_log SET actor = 'user:99' WHERE sequence = 2"
# What the attacker wants, and what keeps them from it. `{owner}` is the role that owns the tables.
REFUSED = {
    "an event is changed": FORGE,
    "an event is blanked": "UPDATE event_log SET data = '{\"erased\": true}', salt = ''",
    "the log is deleted": "DELETE FROM event_log",
    "the log is emptied": "TRUNCATE event_log CASCADE",
    "the guard is dropped": "DROP TRIGGER event_log_only_erases ON event_log",
    "the guard gets another name": "ALTER TRIGGER event_log_only_erases ON event_log RENAME TO x",
    "the guard is switched off": "ALTER TABLE event_log DISABLE TRIGGER event_log_only_erases",
    "all guards are switched off": "ALTER TABLE event_log DISABLE TRIGGER ALL",
    "the session runs without guards": "SET session_replication_role = replica",
    "the guard lets all through": REPLACE_GUARD,
    "the guard's function is dropped": "DROP FUNCTION event_log_only_erase() CASCADE",
    "the guard's function is ours": "ALTER FUNCTION event_log_only_erase() OWNER TO CURRENT_USER",
    "a guard in front of the guard": (
        "CREATE TRIGGER before BEFORE UPDATE ON event_log FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "the table is ours": "ALTER TABLE event_log OWNER TO CURRENT_USER",
    "a right that we lack is given": f"GRANT UPDATE ON event_log TO CURRENT_USER; {FORGE}",
    "the owner is put on": "SET ROLE {owner}",
    "the owner is logged in": "SET SESSION AUTHORIZATION {owner}",
    "the superuser is put on": "SET ROLE postgres",
    "the owner is joined": "GRANT {owner} TO CURRENT_USER",
    "a role is made": "CREATE ROLE stronger SUPERUSER",
    "we are a superuser": "ALTER USER CURRENT_USER SUPERUSER",
    "the owner has our password": "ALTER ROLE {owner} PASSWORD 'known'",
    "a function runs as somebody else": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1"
    ),
    "a table in front of another": "CREATE TEMPORARY TABLE event_streams (project uuid)",
    "a schema in front of another": "CREATE SCHEMA before",
    "a rule turns it into something else": (
        "CREATE RULE r AS ON INSERT TO event_log DO INSTEAD NOTHING"
    ),
    "the erasing limit is moved": "UPDATE event_streams SET erased_through = sequence",
    "the stream is gone": "DELETE FROM event_streams",
    "an epoch is invented": "INSERT INTO event_epochs (project, epoch, after) "
    "SELECT project, 'x', 0 FROM event_streams",
    "an epoch is moved": "UPDATE event_epochs SET through = 1",
    "a decision is gone": "DELETE FROM hitl_decisions",
    "a decision is changed": "UPDATE hitl_decisions SET action = 'reject'",
    "a version is gone": "DELETE FROM context_artifact_versions",
    "a call of an agent is gone": "DELETE FROM agent_actions",
    "a mark of looser rules is gone": "DELETE FROM hitl_loosenings",
    "a migration never was": "DELETE FROM django_migrations",
    "a file of the server is read": "COPY projects (name) FROM '/etc/passwd'",
    "a program of the server is run": "COPY projects (name) FROM PROGRAM 'id'",
    "the database is gone": "DROP DATABASE {database}",
}
# Privilege lacking, membership lacking, refused by a trigger, not one's own object.
REASONS = {"42501", "23001", "2BP01", "0LP01"}


def as_application(database: str) -> psycopg.Connection:
    """A connection with all that the application knows, and nothing of its code."""
    return psycopg.connect(url_of(os.environ["DATABASE_URL"], database), autocommit=True)


@pytest.fixture
def application(project, approver):
    """Beside a project whose work was approved once."""
    decide_as(approver, asked(project))
    owner = administrator().info
    with as_application(owner.dbname) as plain:
        if plain.info.user == owner.user:
            pytest.skip("the database of these tests has one user only")
        yield plain


def attempt(plain: psycopg.Connection, statement: str) -> None:
    owner = administrator().info
    for name, value in (("{owner}", owner.user), ("{database}", owner.dbname)):
        statement = statement.replace(name, value)
    plain.execute(statement)


def untouched(project) -> bool:
    return verify_stream(project.pk).valid


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_the_application_is_refused(application, project, statement):
    with pytest.raises(psycopg.Error) as refused:
        attempt(application, statement)

    assert refused.value.sqlstate in REASONS, refused.value
    assert untouched(project)


def test_there_is_no_stronger_role_to_go_back_to(application):
    for statement in ("RESET ROLE", "RESET SESSION AUTHORIZATION", "RESET ALL", "DISCARD ALL"):
        application.execute(statement)

    row = application.execute(
        "SELECT session_user = current_user, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
        " (SELECT count(*) FROM pg_auth_members WHERE member = pg_roles.oid)"
        " FROM pg_roles WHERE rolname = session_user"
    ).fetchone()
    assert row == (True, False, False, False, False, 0)


def test_it_owns_nothing(application):
    owned = application.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relowner = current_user::regrole"
        " UNION ALL SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE proowner = current_user::regrole"
        " UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = current_user::regrole"
        " UNION ALL SELECT datname FROM pg_database WHERE datdba = current_user::regrole"
    ).fetchall()
    assert owned == []


ERASE = "SELECT event_log_erase(%s, %s, 'epoch')"


@pytest.mark.parametrize("through", [0, -1, 10**6, 2**62])
def test_the_function_erases_nothing_that_is_not_there(application, project, through):
    with pytest.raises(psycopg.errors.RestrictViolation, match="does not go to"):
        application.execute(ERASE, [project.pk, through])

    assert untouched(project)


def test_the_function_erases_nothing_silently(application, project):
    """No event says that payloads went: nothing goes, also in a transaction of several calls."""
    with pytest.raises(psycopg.errors.RestrictViolation, match="no event says"):
        application.execute(ERASE, [project.pk, 2])
    calls = [f"SELECT event_log_erase('{project.pk}', {through}, 'x')" for through in (1, 2)]
    twice = "; ".join(["BEGIN", *calls, "COMMIT"])
    with pytest.raises(psycopg.errors.RestrictViolation, match="no event says"):
        application.execute(twice)

    assert untouched(project)
    assert not Event.objects.filter(project=project.pk, salt="").exists()


def test_the_function_uses_no_names_of_the_caller(application, project):
    """What a caller puts in front of the tables is not what it looks at."""
    application.execute("SET search_path = pg_temp, pg_catalog")
    with pytest.raises(psycopg.errors.RestrictViolation, match="no event says"):
        application.execute("SELECT public.event_log_erase(%s, 2, 'epoch')", [project.pk])

    assert untouched(project)


def test_the_reader_reads_and_nothing_else(application, project):
    url = url_of(os.environ["TESTS_READER_URL"], application.info.dbname)
    tables = HIDDEN_FROM_READER.intersection(connection.introspection.table_names())
    hidden = [f"SELECT count(*) FROM {table}" for table in tables]  # noqa: S608
    with psycopg.connect(url, autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM event_log").fetchone()[0]
        assert reader.execute("SELECT username FROM auth_user").fetchall()
        for statement in (
            "UPDATE projects SET name = 'x'",
            "INSERT INTO auth_group (name) VALUES ('x')",
            "CREATE TABLE mine (id int)",
            "SELECT password FROM auth_user",
            "SELECT token_sha256 FROM agent_credentials",
            f"SELECT event_log_erase('{project.pk}', 1, 'x')",
            *hidden,
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)


# Negative controls: with the guard off, the attack succeeds.


@pytest.mark.parametrize(
    "guard_off",
    [
        "ALTER TABLE event_log DISABLE TRIGGER ALL",
        "ALTER TABLE event_log DISABLE TRIGGER USER",
        "DROP TRIGGER event_log_only_erases ON event_log",
        REPLACE_GUARD,
        "SET LOCAL session_replication_role = replica",
    ],
)
def test_control_the_owner_can_and_verification_finds_it(application, project, guard_off):
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(guard_off)
        cursor.execute(FORGE)
        found = verify_stream(project.pk)
        transaction.set_rollback(True)

    assert (found.valid, found.first_broken_sequence) == (False, 2)
    assert untouched(project)


def test_control_without_the_event_check_payloads_go_silently(application, project):
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER event_streams_say_what_went ON event_streams")
        cursor.execute(ERASE, [project.pk, 2])
        assert cursor.fetchone() == (2,)
        transaction.set_rollback(True)


@pytest.fixture
def one_user():
    """A database as an earlier release left it: one user owns all of it. With its superuser."""
    if not (superuser := os.environ.get("TESTS_SUPERUSER")):
        pytest.skip("only with the server that the tests start themselves")
    name = f"attacked_{uuid4().hex[:8]}"
    app, owner = Login(name, "one"), Login(f"{name}_owner", "two")
    url = urlsplit(url_of(os.environ["DATABASE_URL"], name))
    with psycopg.connect(superuser, dbname="postgres", autocommit=True) as server:
        make_role(server, app)
        server.execute(f"CREATE DATABASE {name} OWNER {name}")
    with psycopg.connect(superuser, dbname=name, autocommit=True) as admin:
        plain = psycopg.connect(url.geturl(), user=name, password="one", autocommit=True)
        for statement in OLD_TABLES:
            plain.execute(statement)
        yield admin, plain, app, owner
        plain.close()
    with psycopg.connect(superuser, dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for role in (owner.name, reader_of(name), name):
            server.execute(f"DROP ROLE IF EXISTS {role}")


OLD_TABLES = (
    "CREATE TABLE event_log (id bigint GENERATED ALWAYS AS IDENTITY, actor text)",
    "CREATE TABLE tasks (id bigserial PRIMARY KEY, title text)",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
    " AS $$ BEGIN RAISE EXCEPTION 'append-only'; END $$",
    "CREATE TRIGGER guard BEFORE UPDATE ON event_log FOR EACH ROW EXECUTE FUNCTION refuse()",
    "INSERT INTO event_log (actor) VALUES ('user:1')",
    "INSERT INTO tasks (title) VALUES ('one')",
)


def test_what_an_earlier_release_made_is_handed_over_while_it_is_used(one_user):
    admin, plain, app, owner = one_user
    make_role(admin, owner)
    make_role(admin, Login(reader_of(app.name)), logs_in=False)

    assert hand_over(admin, application=app.name, owner=owner.name) == 3
    assert hand_over(admin, application=app.name, owner=owner.name) == 0

    plain.execute("INSERT INTO event_log (actor) VALUES ('user:2')")
    plain.execute("UPDATE tasks SET title = 'two'")
    plain.execute("INSERT INTO tasks (title) VALUES ('three')")
    for statement in ("ALTER TABLE event_log DISABLE TRIGGER USER", "DROP TABLE tasks"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.execute(statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.execute("UPDATE event_log SET actor = 'user:99'")


def test_control_one_user_for_everything_can_do_everything(one_user):
    _, plain, *_ = one_user
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        plain.execute("UPDATE event_log SET actor = 'user:99'")
    plain.execute("ALTER TABLE event_log DISABLE TRIGGER USER")
    plain.execute("UPDATE event_log SET actor = 'user:99'")


def test_who_could_put_on_the_owner_no_longer_can(one_user):
    """The control first: a member puts the owner on, and takes it off again."""
    admin, plain, app, owner = one_user
    make_role(admin, owner)
    admin.execute(f"GRANT {owner.name} TO {app.name}")
    plain.execute(f"SET ROLE {owner.name}")
    plain.execute("RESET ROLE")

    hand_over(admin, application=app.name, owner=owner.name)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.execute(f"SET ROLE {owner.name}")


def test_a_way_by_another_role_is_named(one_user):
    admin, _, app, owner = one_user
    make_role(admin, owner)
    between = f"{app.name}_reader"
    make_role(admin, Login(between), logs_in=False)
    admin.execute(f"GRANT {owner.name} TO {between}")
    admin.execute(f"GRANT {between} TO {app.name}")

    with pytest.raises(RolesError, match="by way of another role"):
        hand_over(admin, application=app.name, owner=owner.name)


def test_the_servers_superuser_is_not_taken_for_the_application(one_user):
    admin, *_ = one_user
    with pytest.raises(RolesError, match="superuser of the database server"):
        make_role(admin, Login(admin.info.user, "known"))
