"""Ring for the engine. A ring may be lost: `attention_since` is the truth, and the sweep rings again."""

import logging
from uuid import UUID

from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def ring_engine(project_id: UUID) -> None:
    from orchestrator.tasks import advance

    try:
        advance.delay(str(project_id))
    except (OperationalError, OSError) as error:
        logger.warning("ring lost", extra={"project": str(project_id), "error": repr(error)})
