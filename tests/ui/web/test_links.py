"""Whatever follows links, as scanners of mail do, finds pages and changes nothing."""

import re
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest

from agents.models import EmergencyStop, Task
from audit.models import Event
from context.models import ArtifactVersion
from hitl.models import Decision, HitlRequest
from projects.models import Membership, Project
from tests.scenes import stop
from tests.ui.web.conftest import logged_in

LINK = re.compile(r'<a\b[^>]*?href="([^"#]*)')
# Each leads to many more of its like, all made by the same view.
SORTED = re.compile(r"[?&](o|p|e|all|_changelist_filters|q|from|to|page)=")
PAGES_MAX = 400


def state() -> list[list[tuple]]:
    """All that somebody's press of a button could change."""
    return [
        list(Project.objects.values_list("pk", "status").order_by("pk")),
        list(HitlRequest.objects.values_list("pk", "status", "claimed_by").order_by("pk")),
        list(Task.objects.values_list("pk", "status", "attempt").order_by("pk")),
        list(Membership.objects.values_list("pk", "role").order_by("pk")),
        list(ArtifactVersion.objects.values_list("pk", "status").order_by("pk")),
        list(EmergencyStop.objects.values_list("pk", "released_at").order_by("pk")),
        list(Decision.objects.values_list("pk")),
        list(Event.objects.values_list("pk").order_by("pk")),
    ]


@pytest.mark.django_db
def test_every_link_opens_and_following_all_of_them_changes_nothing(plan_request, owner):
    owner.is_staff = owner.is_superuser = True
    owner.save(update_fields=["is_staff", "is_superuser"])
    stop(owner, agent_type="coder")
    client, before = logged_in(owner), state()
    seen, to_open, broken = {"/admin/"}, ["/admin/"], {}
    while to_open and len(seen) < PAGES_MAX:
        path = to_open.pop()
        answer = client.get(path, follow=True)
        if answer.status_code != 200:
            broken[path] = answer.status_code
        if not answer["Content-Type"].startswith("text/html"):
            continue
        html = b"".join(answer).decode()
        for link in map(unescape, LINK.findall(html)):
            parts = urlsplit(urljoin(path, link))
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            is_ours = not parts.netloc and parts.path.startswith(("/admin/", "/accounts/"))
            if is_ours and target not in seen and not SORTED.search(target):
                seen.add(target)
                to_open.append(target)
    assert broken == {}
    assert len(seen) > 60
    assert state() == before
