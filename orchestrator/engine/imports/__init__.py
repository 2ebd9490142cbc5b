"""Importing a project from the export of another installation."""

from orchestrator.engine.imports.archive import Archive, open_archive
from orchestrator.engine.imports.service import import_project

__all__ = ["Archive", "import_project", "open_archive"]
