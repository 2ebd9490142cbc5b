from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from orchestrator.engine.definition import DefinitionError, definition_hash, parse_definition


class Command(BaseCommand):
    help = "Checks a workflow file and shows its steps, or its errors, with exit status 1."
    requires_system_checks = ()

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)

    def handle(self, *args, file: Path, **options):
        try:
            definition = parse_definition(file.read_text(encoding="utf-8"), str(file))
        except DefinitionError as error:
            raise CommandError(str(error)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        self.stdout.write(f"{definition.title}: {definition.name} {definition.version}")
        for step in map(definition.step, definition.order):
            needs = f" after {', '.join(step.needs)}" if step.needs else ""
            self.stdout.write(f"  {step.phase:<10} {step.id}: {step.agent}{needs}")
        self.stdout.write(f"SHA-256 {definition_hash(definition)}")
