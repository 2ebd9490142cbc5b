"""The Django admin: every page that people read and decide on. Django finds it by this name."""

from ui.web.admin import (  # noqa: F401 - each registers its models
    accounts,
    agents,
    audit,
    context,
    hitl,
    jobs,
    projects,
    running_projects,
    stops,
)
