"""A migration runs while older code still runs: it may only add what that code can ignore.

What is to go goes in a later release than the code that used it: it is named here, with the reason.
"""

from collections.abc import Iterator

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AddConstraint,
    AddField,
    AlterField,
    AlterModelTable,
    CreateModel,
    DeleteModel,
    RemoveConstraint,
    RemoveField,
    RenameField,
    RenameModel,
)
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED, Field, ManyToManyField

OURS = (
    "orchestrator",
    "hitl",
    "agents",
    "context",
    "projects",
    "accounts",
    "audit",
    "api",
    "notifications",
)
LOCKS = (AddField, AlterField, AddConstraint, RemoveConstraint)
# Of a field; the database knows nothing of these.
NOT_IN_DATABASE = {"choices", "help_text", "verbose_name", "blank"}
TAKES_AWAY = (RemoveField, DeleteModel, RenameField, RenameModel, AlterModelTable)
# ("app", "migration", "model.field"): why no running code uses it any more.
CONTRACTED: dict[tuple[str, str, str], str] = {}
# Columns that older code would have had to fill: from before the first release.
BEFORE_ANY_RELEASE = {
    ("api", "0002_location", "idempotencykey.location"),
    ("orchestrator", "0002_run_is_rewound", "workflowrun.is_rewound"),
}
# Cut in two they could not be applied where they are applied already. Our `migrate` gives way.
SEVERAL_TABLES_BEFORE_ANY_RELEASE = {
    ("context", "0004_parts_know_their_project"),
    ("hitl", "0003_policies"),
}


def later_operations() -> Iterator[tuple[tuple[str, str], Operation, set[str]]]:
    """With the models that the same migration creates: nobody uses those yet."""
    for (app, name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if app not in OURS or migration.initial or name.startswith("0001"):
            continue
        new = {one.name.lower() for one in migration.operations if isinstance(one, CreateModel)}
        for operation in migration.operations:
            yield (app, name), operation, new


def named(key: tuple[str, str], operation: Operation) -> tuple[str, str, str]:
    parts = (getattr(operation, "model_name", ""), getattr(operation, "name", ""))
    return (*key, ".".join(part for part in parts if part))


def column(field: Field) -> tuple[str, list, dict]:
    _, path, arguments, options = field.deconstruct()
    options = {key: value for key, value in options.items() if key not in NOT_IN_DATABASE}
    return path, arguments, options


def changes_a_column(loader: MigrationLoader, key: tuple[str, str], operation: AlterField) -> bool:
    before = loader.project_state(key, at_end=False).models[key[0], operation.model_name.lower()]
    return column(before.get_field(operation.name)) != column(operation.field)


def test_a_new_column_is_one_that_older_code_need_not_fill():
    for key, operation, new in later_operations():
        if not isinstance(operation, AddField) or operation.model_name.lower() in new:
            continue
        field = operation.field
        is_optional = field.null or field.db_default is not NOT_PROVIDED
        is_known = isinstance(field, ManyToManyField) or named(key, operation) in BEFORE_ANY_RELEASE
        assert is_optional or is_known, named(key, operation)


def test_nothing_that_older_code_uses_is_taken_away():
    gone = [named(key, one) for key, one, _ in later_operations() if isinstance(one, TAKES_AWAY)]

    assert [one for one in gone if one not in CONTRACTED] == []


def test_a_migration_locks_one_table_that_older_code_uses():
    """With several in one transaction it deadlocks with requests, which lock in another order."""
    tables: dict[tuple[str, str], set[str]] = {}
    loader = MigrationLoader(None)
    for (app, name), operation, new in later_operations():
        model = getattr(operation, "model_name", "").lower()
        is_atomic = loader.disk_migrations[app, name].atomic
        if not (model and model not in new and is_atomic and isinstance(operation, LOCKS)):
            continue
        is_alter = isinstance(operation, AlterField)
        if not is_alter or changes_a_column(loader, (app, name), operation):
            tables.setdefault((app, name), set()).add(model)

    several = {key for key, models in tables.items() if len(models) > 1}
    assert several <= SEVERAL_TABLES_BEFORE_ANY_RELEASE


def test_there_is_something_to_look_at():
    assert len([*later_operations()]) > 5
