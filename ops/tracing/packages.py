from importlib.util import find_spec

NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def why_no_traces() -> str | None:
    """What is missing, and what to do about it; None where all is there."""
    missing = [name for name in NEEDED if not _is_there(name)]
    if not missing:
        return None
    return (
        f"TRACES is on, but {' and '.join(missing)} cannot be imported. Install them with "
        "`pip install -r requirements-otel.txt` (docker compose: build the image anew), or "
        "set TRACES=false."
    )


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
