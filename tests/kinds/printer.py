"""A health check."""

from ops.health.check import Finding, Status, check


@check("printer")
def check_printer() -> Finding:
    return Finding(Status.DEGRADED, "out of paper")
