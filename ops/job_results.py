"""The results of failed jobs, for people: django-celery-results without contents."""

import logging
from datetime import timedelta
from traceback import format_tb
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.utils.timezone import now
from django_celery_results.backends import DatabaseBackend

from core.database import is_database_away

logger = logging.getLogger(__name__)

# The sweep runs each second; one row a minute says as much as sixty.
REPEATED = timedelta(minutes=1)


class JobResults(DatabaseBackend):
    """Keeps the type, code and place of a failure; its message may quote contents or secrets.

    Never raises: whether a failure could be kept changes nothing about the job.
    """

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: str | None = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        if isinstance(result, BaseException):
            if is_database_away(result):
                return result
            traceback = "".join(format_tb(result.__traceback__))
        try:
            if not self.is_repeated(request, state, result):
                super().store_result(task_id, result, state, traceback, request, **kwargs)
        except (DatabaseError, InterfaceError) as error:
            logger.warning(
                "the result of a job was not kept", extra={"error": type(error).__name__}
            )
        finally:
            # A worker's parent process must not keep what its next children would inherit.
            if not connection.in_atomic_block:
                connection.close()
        return result

    def prepare_exception(
        self, exc: BaseException, serializer: str | None = None
    ) -> dict[str, Any]:
        code = getattr(exc, "code", None)
        return {
            "exc_type": getattr(exc, "exc_cls_name", type(exc).__name__),
            "exc_message": [code] if isinstance(code, str) else [],
            "exc_module": type(exc).__module__,
        }

    def is_repeated(self, request: Any, state: str, result: Any) -> bool:
        """Whether the same job has just failed with the same arguments and error."""
        _, _, arguments = self.encode_content(getattr(request, "argsrepr", None))
        _, _, encoded = self.encode_content(self.encode_result(result, state))
        same = self.TaskModel.objects.filter(
            task_name=getattr(request, "task", None),
            task_args=arguments,
            result=encoded,
            date_done__gt=now() - REPEATED,
        )
        return same.exists()
