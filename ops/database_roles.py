"""Three roles of the database: the owner migrates, the application works, the reader reports.

None of them is a superuser, and none may become another one. All rights are granted here.
"""

import re
import time
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

# Rows are appended; payloads go by the function alone, which checks what the triggers check.
APPEND_ONLY = {"event_log", "log_leaves", "log_tree", "log_checkpoints"}
ERASING_FUNCTION = "event_log_erase(uuid, bigint, text)"
ON_ERASING = (
    f"REVOKE ALL ON FUNCTION {ERASING_FUNCTION} FROM PUBLIC",
    f"GRANT EXECUTE ON FUNCTION {ERASING_FUNCTION} TO {{application}}",
)
SET_BY_FUNCTION = {("event_streams", "erased_through")}
# What people rely on later is changed, and never deleted.
KEPT = {
    *("event_streams", "projects", "project_imports", "workflow_runs", "tasks", "task_attempts"),
    *("context_artifacts", "context_artifact_versions", "hitl_requests", "hitl_decisions"),
    *("hitl_comments", "hitl_policies", "hitl_loosenings", "standing_approvals", "agent_actions"),
    *("agent_credentials", "project_invitations", "hitl_delegations", "installation_floor"),
    *("model_calls", "budget_accounts", "hitl_readings"),
    *("emergency_stops", "emergency_stop_acknowledgements"),
}
# Written by the owner: by a migration, or by a trigger with its rights.
OF_THE_OWNER = {"django_migrations", "event_epochs"}
# Whoever reads these could act as somebody else.
HIDDEN_FROM_READER = {
    *("django_session", "authtoken_token", "personal_tokens", "idempotency_keys"),
    # Links that set a password, and addresses that are a secret themselves.
    *("local_mails", "webhooks"),
    *("mfa_authenticator", "socialaccount_socialapp", "socialaccount_socialtoken"),
    *("account_emailconfirmation", "socialaccount_socialaccount"),
}
SECRET_COLUMN = re.compile(r"(^|_)(password|secret|token|key)(_key|_hash|_digest|_sha256)?$")

ON_EVERYTHING = (
    # A table of its own could stand in front of one that a trigger asks.
    "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {roles}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC, {roles}",
    "GRANT CONNECT ON DATABASE {database} TO {roles}",
    "GRANT USAGE ON SCHEMA public TO {roles}",
    "GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA public TO {application}",
)
TABLES = """
    SELECT relname::text, array_agg(attname::text ORDER BY attnum)
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
        AND pg_get_userbyid(relowner) = %s
    GROUP BY relname ORDER BY relname
"""
OWNERS = """
    SELECT pg_get_userbyid(datdba), pg_get_userbyid(nspowner) FROM pg_database, pg_namespace
    WHERE datname = current_database() AND nspname = 'public'
"""
# Neither what an extension made, nor the sequence of a column, which goes with its table.
MISPLACED = """
    SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
        pg_class.oid::regclass::text, CASE WHEN relkind <> 'S' THEN relname::text END,
        ARRAY(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        )
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
        AND pg_get_userbyid(relowner) = ANY (%(former)s) AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
                AND objid = pg_class.oid AND deptype IN ('a', 'e', 'i')
        )
    UNION ALL
    SELECT 'ROUTINE', pg_proc.oid::regprocedure::text, NULL, NULL FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
        AND pg_get_userbyid(proowner) = ANY (%(former)s) AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass
                AND objid = pg_proc.oid AND deptype = 'e'
        )
"""
ROLE = """
    SELECT rolsuper, rolbypassrls, rolreplication, rolcreaterole, rolcreatedb, rolcanlogin
    FROM pg_roles WHERE rolname = %s
"""
LOCK_TIMEOUT, TRIES, PAUSE_SECONDS = "1s", 60, 0.5


class RolesError(Exception):
    """The roles cannot be as they must be; the text says why and what to do."""


@dataclass(frozen=True)
class Login:
    """A role with its password; without one the server must know it by other means."""

    name: str
    password: str = field(default="", repr=False)


def reader_of(application: str) -> str:
    """Of each installation its own, since roles belong to the whole server."""
    return f"{application}_reader"


def make_role(
    admin: psycopg.Connection,
    login: Login,
    *,
    logs_in: bool = True,
    creates_databases: bool | None = None,
) -> None:
    """Raises RolesError for one that could do more than any of ours may. May run again.

    `creates_databases`: None leaves it as it is.
    """
    name = sql.Identifier(login.name)
    if admin.execute(ROLE, [login.name]).fetchone() is None:
        admin.execute(sql.SQL("CREATE ROLE {}").format(name))
    *too_strong, creates_roles, creates, logged_in = admin.execute(ROLE, [login.name]).fetchone()
    if any(too_strong):
        raise RolesError(
            f"{login.name} is a superuser of the database server, or nearly one. "
            "Let the URL name another user; it is made here."
        )
    changes = {
        "NOCREATEROLE": creates_roles,
        "CREATEDB": creates_databases and not creates,
        "NOCREATEDB": creates and creates_databases is False,
        "LOGIN": logs_in and not logged_in,
    }
    for attribute in (attribute for attribute, is_due in changes.items() if is_due):
        admin.execute(sql.SQL("ALTER ROLE {} {}").format(name, sql.SQL(attribute)))
    if login.password:
        # Not in plain text, which the server might log.
        secret = admin.pgconn.encrypt_password(
            login.password.encode(), login.name.encode(), b"scram-sha-256"
        )
        change = sql.SQL("ALTER ROLE {} PASSWORD {}")
        admin.execute(change.format(name, sql.Literal(secret.decode())))


def hand_over(admin: psycopg.Connection, *, application: str, owner: str) -> int:
    """Everything in the database to its owner, also what an earlier release made as another user.

    `admin` is connected to the database, with autocommit; it may be a superuser, or have made both
    roles. Each table changes hands together with its rights, so running work goes on. May run
    again; returns how many things changed hands. Raises RolesError.
    """
    names = {"application": sql.Identifier(application), "owner": sql.Identifier(owner)}
    admin.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    former, is_superuser = admin.execute(
        "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if not is_superuser:
        admin.execute(sql.SQL("GRANT {application}, {owner} TO CURRENT_USER").format(**names))
    if _may_become(admin, application, owner):
        admin.execute(sql.SQL("REVOKE {owner} FROM {application}").format(**names))
    if _may_become(admin, application, owner):
        raise RolesError(f"{application} can become {owner} by way of another role: revoke that.")

    of_database, of_schema = admin.execute(OWNERS).fetchone()
    if of_database != owner:
        database = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {owner}").format(database, **names))
    if of_schema not in ("pg_database_owner", owner):
        admin.execute(sql.SQL("ALTER SCHEMA public OWNER TO {owner}").format(**names))
    misplaced = admin.execute(MISPLACED, {"former": [application, former]}).fetchall()
    for kind, thing, table, columns in misplaced:
        change = sql.SQL(f"ALTER {kind} {thing} OWNER TO {{owner}}").format(**names)
        grants = _table_grants(table, columns, application) if table else []
        for tries_left in reversed(range(TRIES)):
            try:
                with admin.transaction():
                    for statement in (change, *grants):
                        admin.execute(statement)
                break
            except psycopg.errors.LockNotAvailable:
                if not tries_left:
                    raise RolesError(f"{thing} is in use. Try again when less is done.") from None
                time.sleep(PAUSE_SECONDS)
    grant_rights(admin, application=application, owner=owner)
    return len(misplaced)


def _may_become(admin: psycopg.Connection, application: str, owner: str) -> bool:
    return admin.execute("SELECT pg_has_role(%s, %s, 'MEMBER')", [application, owner]).fetchone()[0]


def grant_rights(connection: psycopg.Connection, *, application: str, owner: str) -> None:
    """What the application and the reader may do, with whatever tables there are now.

    As the owner, or as whoever may act for it; in one transaction, so nothing is missing meanwhile.
    """
    reader = reader_of(application)
    has_reader = connection.execute(ROLE, [reader]).fetchone() is not None
    grantees = [application, reader] if has_reader else [application]
    names = {
        "database": sql.Identifier(connection.info.dbname),
        "application": sql.Identifier(application),
        "roles": sql.SQL(", ").join(map(sql.Identifier, grantees)),
    }
    statements = [sql.SQL(statement).format(**names) for statement in ON_EVERYTHING]
    for table, columns in connection.execute(TABLES, [owner]).fetchall():
        statements += _table_grants(table, columns, application)
        if has_reader:
            statements += _reader_grants(table, columns, reader)
    if connection.execute("SELECT to_regprocedure(%s)", [ERASING_FUNCTION]).fetchone()[0]:
        statements += [sql.SQL(statement).format(**names) for statement in ON_ERASING]
    with connection.transaction():
        for statement in statements:
            connection.execute(statement)


def _table_grants(table: str, columns: list[str], application: str) -> list[sql.Composed]:
    rights = "SELECT, INSERT, UPDATE, DELETE"
    if table in OF_THE_OWNER:
        rights = "SELECT"
    elif table in APPEND_ONLY:
        rights = "SELECT, INSERT"
    elif table in KEPT:
        rights = "SELECT, INSERT, UPDATE"
    if fixed := [column for column in columns if (table, column) in SET_BY_FUNCTION]:
        changed = ", ".join(column for column in columns if column not in fixed)
        rights = f"SELECT, INSERT, UPDATE ({changed})"
    names = {"table": sql.Identifier("public", table), "role": sql.Identifier(application)}
    return [
        sql.SQL("REVOKE ALL ON {table} FROM {role}").format(**names),
        sql.SQL(f"GRANT {rights} ON {{table}} TO {{role}}").format(**names),
    ]


def _reader_grants(table: str, columns: list[str], reader: str) -> list[sql.Composed]:
    names = {"table": sql.Identifier("public", table), "role": sql.Identifier(reader)}
    grants = [sql.SQL("REVOKE ALL ON {table} FROM {role}").format(**names)]
    if table not in HIDDEN_FROM_READER:
        shown = [column for column in columns if not SECRET_COLUMN.search(column)]
        names["columns"] = sql.SQL(", ").join(map(sql.Identifier, shown))
        right = "SELECT" if shown == columns else "SELECT ({columns})"
        grants.append(sql.SQL(f"GRANT {right} ON {{table}} TO {{role}}").format(**names))
    return grants
