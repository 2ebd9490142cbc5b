"""A project's export, taken into this installation."""

from orchestrator.engine.imports.archive import Archive, open_archive
from orchestrator.engine.imports.service import import_project

__all__ = ["Archive", "import_project", "open_archive"]
