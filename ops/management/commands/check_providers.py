import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseAway

from agents.providers.trial import Trial, outside_models, provider_of, try_models
from agents.services import note_check
from core.text import one_line

SECONDS = 30.0
NOT_CONFIGURED = "No model provider is configured: the demo model serves every agent."
NO_CALL = "The demo model needs no call."


class Command(BaseCommand):
    help = (
        "Makes one tiny call of every model that the settings name, and says how it went. The "
        "provider charges for it. Exit status 1: one of them failed."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", metavar="NAME", help="only this one, such as openai-chat")
        parser.add_argument("--timeout", type=_seconds, default=SECONDS, metavar="SECONDS")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *, provider: str | None, timeout: float, **options: Any) -> None:
        models = outside_models(settings.AGENT_MODELS)
        if provider:
            _check_is_used(provider)
            models = {one: by for one, by in models.items() if provider_of(one) == provider}
        trials = list(try_models(models, seconds=timeout))
        self._note(trials)
        self._show_json(trials) if options["json"] else self._show(trials)
        failed = sum(trial.error is not None for trial in trials)
        if failed:
            raise CommandError(f"{failed} of {len(trials)} did not answer as they should.")

    def _note(self, trials: list[Trial]) -> None:
        """For `llm_providers`; last what failed, so that it is the newest of a provider."""
        called = [trial for trial in trials if trial.was_called]
        try:
            for trial in sorted(called, key=lambda one: one.error is not None):
                code = trial.error.code if trial.error else ""
                note_check(provider=trial.provider, error_code=code)
        except DatabaseAway as error:
            self.stderr.write(f"Not noted for /health: {type(error).__name__}.")

    def _show(self, trials: list[Trial]) -> None:
        for trial in trials:
            verdict = "failed" if trial.error else "ok"
            took, agents = f"{trial.seconds * 1000:.0f} ms", ", ".join(trial.agents)
            self.stdout.write(one_line(f"{verdict}: {trial.model}, {took}, for {agents}"))
            if trial.error:
                said = f"{trial.error.code}: {trial.error.detail}"
                self.stdout.write(f"    {one_line(said)}\n    {trial.remedy}")
        if not trials:
            self.stdout.write(_nothing_called())

    def _show_json(self, trials: list[Trial]) -> None:
        report = {
            "ok": all(trial.error is None for trial in trials),
            "message": "" if trials else _nothing_called(),
            "providers": [_as_json(trial) for trial in trials],
        }
        self.stdout.write(json.dumps(report, indent=2))


def _as_json(trial: Trial) -> dict[str, Any]:
    return {
        "provider": trial.provider,
        "model": trial.model.partition(":")[2],
        "agents": trial.agents,
        "ok": trial.error is None,
        "latency_ms": round(trial.seconds * 1000, 1),
        "error_code": trial.error.code if trial.error else None,
        "detail": trial.error.detail if trial.error else None,
        "remedy": trial.remedy or None,
    }


def _nothing_called() -> str:
    return NO_CALL if outside_models(settings.AGENT_MODELS) else f"{NOT_CONFIGURED} {NO_CALL}"


def _check_is_used(provider: str) -> None:
    used = {provider_of(model) for model in settings.AGENT_MODELS.values()}
    if provider not in used:
        raise CommandError(
            f"No agent is given to the provider {one_line(provider)!r}. "
            f"MODEL_... name: {', '.join(sorted(used))}."
        )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 600:
        raise ValueError
    return seconds
