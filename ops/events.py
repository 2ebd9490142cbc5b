"""What the log of the installation tells of the whole database."""

from audit.event_types import register_event_type

BACKUP_MADE = register_event_type("backup_made")
