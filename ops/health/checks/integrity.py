"""What the scheduled verification of the log found, and whether it is made."""

from audit.schedule import state
from ops.health.check import Finding, Status, check
from ops.health.clients import database_cursor

UNVERIFIED_SECONDS, UNSIGNED_SECONDS = 26 * 3600, 1800


@check("integrity", order=8)
def check_integrity() -> Finding:
    with database_cursor():
        facts = state()
    if facts["problems"]:
        # Health answers anybody: what differs is for verify_audit.
        message = f"{facts['problems']} logs or their rows do not hold: manage.py verify_audit"
        return Finding(Status.UNHEALTHY, message, facts)
    if (facts["unverified_seconds"] or 0) > UNVERIFIED_SECONDS:
        return Finding(Status.DEGRADED, "not everything was verified within a day", facts)
    if (facts["unsigned_seconds"] or 0) > UNSIGNED_SECONDS:
        return Finding(Status.DEGRADED, "no checkpoint was signed for half an hour", facts)
    if not facts["verified_logs"]:
        return Finding(message="nothing was verified yet", facts=facts)
    return Finding(message=f"{facts['verified_logs']} logs were verified, and hold", facts=facts)
