"""Who may see which events; the answer comes from above, by `settings.AUDIT_ACCESS_POLICY`."""

from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string


class AccessPolicy(Protocol):
    @staticmethod
    def visible_project_ids(user: Any) -> QuerySet:
        """Ids of the projects that the user may see, as a subquery."""

    @staticmethod
    def may_see(user: Any, project_id: UUID) -> bool: ...


def access_policy() -> type[AccessPolicy]:
    return import_string(settings.AUDIT_ACCESS_POLICY)
