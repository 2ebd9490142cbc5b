from django.db.models.functions import Now

from agents.models import ProviderCheck


def note_check(*, provider: str, error_code: str = "") -> None:
    """A provider was called, now, outside of any work; without a code it answered."""
    row = {"failed_at": Now(), "error_code": error_code} if error_code else {"succeeded_at": Now()}
    ProviderCheck.objects.bulk_create(
        [ProviderCheck(provider=provider, **row)],
        update_conflicts=True,
        unique_fields=["provider"],
        update_fields=list(row),
    )
