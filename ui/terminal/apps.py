from django.apps import AppConfig


class TerminalConfig(AppConfig):
    """The commands that people work with: run_project, hitl, events, emergency_stop."""

    name = "ui.terminal"
