import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseAway

from agents.providers import configured_models
from agents.providers.probes import Probe, outside_models, probe_models, provider_of
from agents.services import note_check
from core.text import one_line

SECONDS = 30.0
NOT_CONFIGURED = "No model provider is configured: the demo model serves every agent."
NO_CALL = "The demo model needs no call."


class Command(BaseCommand):
    help = (
        "Makes one tiny call of every model in the settings, and reports how it went. The provider "
        "charges for it. Exit status 1: a call failed."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", metavar="NAME", help="only this one, such as openai-chat")
        parser.add_argument("--timeout", type=_seconds, default=SECONDS, metavar="SECONDS")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *, provider: str | None, timeout: float, **options: Any) -> None:
        models = outside_models(configured_models())
        if provider:
            used = {provider_of(model) for model in configured_models().values()}
            if provider not in used:
                raise CommandError(
                    f"No agent uses the provider {one_line(provider)!r}. "
                    f"MODEL_... name: {', '.join(sorted(used))}."
                )
            models = {
                model: agents for model, agents in models.items() if provider_of(model) == provider
            }
        probes = list(probe_models(models, seconds=timeout))
        self.note_checks(probes)
        if options["json"]:
            self.write_json(probes)
        else:
            self.write_text(probes)
        failed = sum(probe.error is not None for probe in probes)
        if failed:
            raise CommandError(f"{failed} of {len(probes)} did not answer as they should.")

    def note_checks(self, probes: list[Probe]) -> None:
        """For `llm_providers`; failures last, so that they are the newest of a provider."""
        called = [probe for probe in probes if probe.was_called]
        try:
            for probe in sorted(called, key=lambda probe: probe.error is not None):
                code = probe.error.code if probe.error else ""
                note_check(provider=probe.provider, error_code=code)
        except DatabaseAway as error:
            self.stderr.write(f"Not noted for /health: {type(error).__name__}.")

    def write_text(self, probes: list[Probe]) -> None:
        for probe in probes:
            verdict = "failed" if probe.error else "ok"
            latency, agents = f"{probe.seconds * 1000:.0f} ms", ", ".join(probe.agents)
            self.stdout.write(one_line(f"{verdict}: {probe.model}, {latency}, for {agents}"))
            if probe.error:
                error = one_line(f"{probe.error.code}: {probe.error.detail}")
                self.stdout.write(f"    {error}\n    {probe.remedy}")
        if not probes:
            self.stdout.write(_nothing_called())

    def write_json(self, probes: list[Probe]) -> None:
        providers = [
            {
                "provider": probe.provider,
                "model": probe.model.partition(":")[2],
                "agents": probe.agents,
                "ok": probe.error is None,
                "latency_ms": round(probe.seconds * 1000, 1),
                "error_code": probe.error.code if probe.error else None,
                "detail": probe.error.detail if probe.error else None,
                "remedy": probe.remedy or None,
            }
            for probe in probes
        ]
        report = {
            "ok": all(probe.error is None for probe in probes),
            "message": "" if probes else _nothing_called(),
            "providers": providers,
        }
        self.stdout.write(json.dumps(report, indent=2))


def _nothing_called() -> str:
    return NO_CALL if outside_models(configured_models()) else f"{NOT_CONFIGURED} {NO_CALL}"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 600:
        raise ValueError
    return seconds
