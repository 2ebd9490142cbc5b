import hashlib

import pytest

from agents.context_assembly import assemble_assignment
from agents.services import claim_task
from agents.worker.run import run
from context.models import Artifact, ContextBuild
from tests.context.documents import hand_in
from tests.scenes import pending_task, running

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def build(project):
    task = pending_task(running(project))
    assemble_assignment(claim_task(task_id=task.pk, worker="test:1:1"))
    return ContextBuild.objects.get(task=task.pk)


def test_a_member_sees_what_the_agent_saw(build, approver, client):
    approver.is_staff = True
    approver.save()
    client.force_login(approver)

    html = client.get(f"/admin/context/contextbuild/{build.pk}/change/").content.decode()

    assert "It must be there." in html
    assert build.sha256 in html
    assert "Brief" in html


def test_what_was_made_leads_to_what_the_agent_saw(project, approver, client):
    client.force_login(staff(approver))
    task = pending_task(running(project))
    run(task_id=task.pk, worker="test:1:1")
    made = Artifact.objects.get(task=task.pk)
    build = ContextBuild.objects.get(task=task.pk)

    html = client.get(f"/admin/context/artifact/{made.pk}/change/").content.decode()

    assert f'href="/admin/context/contextbuild/{build.pk}/change/"' in html


def test_parts_and_summaries_are_shown_word_for_word(project, approver, client):
    brief = hand_in(project, f"# Fees\n\n{EVIL}\n")
    build = ContextBuild.objects.create(
        project=project,
        task=project.pk,
        attempt=1,
        fence=1,
        agent_type="coder",
        budget=9,
        base_tokens=1,
        tokens=1,
        items=[
            item(brief, part="text/fees", form="full", sha256=sha256_of(f"# Fees\n\n{EVIL}\n")),
            item(brief, form="summary", text="In short.", sha256=sha256_of("In short.")),
            item(brief, part="text/fees", form="full", sha256=sha256_of("Something else.")),
        ],
    )
    client.force_login(staff(approver))

    html = client.get(f"/admin/context/contextbuild/{build.pk}/change/").content.decode()

    assert html.count("&lt;script&gt;alert(1)") == 1
    assert EVIL not in html
    assert "In short." in html


def item(brief, *, part="", form="full", text="", sha256=""):
    told = {"need": "should", "asked_for": "user_input", "title": "Rules", "why": "It fits."}
    counts = {"tokens": 1, "full_tokens": 1}
    given = {"part": part, "form": form, "text": text, "sha256": sha256}
    return {"artifact": str(brief.pk), "version": 1} | told | counts | given


def sha256_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


def staff(user):
    user.is_staff = True
    user.save()
    return user


def test_the_list_and_the_page_are_for_members(build, outsider, client):
    outsider.is_staff = True
    outsider.save()
    client.force_login(outsider)

    assert "orchestrate" not in client.get("/admin/context/contextbuild/").content.decode()
    assert client.get(f"/admin/context/contextbuild/{build.pk}/change/").status_code == 404
