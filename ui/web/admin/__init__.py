"""The Django admin: every page that people read and decide on. Django finds it by this name."""

from ui.web.admin import (  # noqa: F401 - each registers its models
    accounts,
    context,
    hitl,
    projects,
    records,
    stops,
)
