"""First page, project list, new project and terminal say how to connect a model."""

import pytest
from django.urls import reverse

from agents.providers import CONNECT, demo_hint

pytestmark = pytest.mark.django_db

PAGES = ("admin:index", "admin:projects_project_changelist", "admin:projects_project_add")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_how_to_connect_a_model_while_the_demo_model_serves(
    page, admin_client, settings
):
    assert CONNECT in admin_client.get(reverse(page)).content.decode()

    settings.AGENT_MODELS = dict.fromkeys(settings.AGENT_TYPES, "openai:gpt-x")

    assert CONNECT not in admin_client.get(reverse(page)).content.decode()


def test_the_hint_is_empty_where_other_models_serve(settings):
    assert CONNECT in demo_hint()
    settings.AGENT_MODELS = {"coder": "openai:gpt-x"}
    assert demo_hint() == ""
