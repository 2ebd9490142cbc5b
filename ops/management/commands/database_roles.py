import os
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ops.database_roles import Login, RolesError, hand_over, make_role, reader_of


class Command(BaseCommand):
    help = (
        "Makes the database's roles, and gives the tables to their owner. ADMIN_DATABASE_URL says "
        "who does it: a superuser, or who may create roles and made those that are there."
    )
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        if settings.MIGRATION_DATABASE is None:
            raise CommandError("Let MIGRATION_DATABASE_URL name the owner, with a password.")
        if not (url := os.environ.get("ADMIN_DATABASE_URL")):
            raise CommandError("Let ADMIN_DATABASE_URL name who may create roles.")
        application, owner = (
            Login(database["USER"], database["PASSWORD"])
            for database in (settings.DATABASES["default"], settings.MIGRATION_DATABASE)
        )
        if application.name == owner.name:
            raise CommandError(
                f"DATABASE_URL and MIGRATION_DATABASE_URL both name {owner.name}: use two users."
            )
        reader = Login(reader_of(application.name), os.environ.get("READER_PASSWORD", ""))
        try:
            with psycopg.connect(url, autocommit=True) as admin:
                if admin.info.dbname != settings.DATABASES["default"]["NAME"]:
                    raise CommandError("ADMIN_DATABASE_URL names another database.")
                make_role(admin, application, creates_databases=False)
                make_role(admin, owner)
                make_role(admin, reader, logs_in=bool(reader.password), creates_databases=False)
                count = hand_over(admin, application=application.name, owner=owner.name)
        except (RolesError, psycopg.Error) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{owner.name} owns the tables ({count} changed hands), {application.name} works with "
            f"them, {reader.name} reads."
        )
