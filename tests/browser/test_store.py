"""The pages of the context store, the emergency stop, and one decision on many, by clicks."""

import re

import pytest
from playwright.sync_api import expect

from agents.context_assembly import assemble_assignment
from agents.models import EmergencyStop
from agents.services import claim_task, finish_task
from audit.actors import Actor
from context.models import Artifact, ContextBuild
from context.services import add_version
from hitl.models import Decision
from orchestrator.engine.advance import advance_project
from tests.browser.faults import PHONE, faults_of, faults_of_page
from tests.scenes import agent_returns, pending_task, stop, work

SEARCH = "/admin/search/"
STOP = "/admin/agents/emergencystop/control/"
BUILDS = "/admin/context/contextbuild/"
LONG = "A-title-without-any-place-to-break-it-" * 6


@pytest.fixture
def stale(running, owner):
    """A run plan, made from a brief that has a newer version by now."""
    advance_project(running.pk)
    claim = claim_task(task_id=pending_task(running).pk, worker="test:1:1")
    assemble_assignment(claim)
    finish_task(claim=claim, outcome=work())
    advance_project(running.pk)
    brief = Artifact.objects.get(project=running, artifact_type="user_input")
    newer = {"text": "# Lending\n\nMembers borrow books for three weeks."}
    add_version(actor=Actor.of_user(owner), artifact_id=brief.pk, content=newer)
    return running


def made(project) -> Artifact:
    return Artifact.objects.get(project=project, artifact_type="agent_output")


def test_what_somebody_wrote_is_found_and_read(stale, viewer, person):
    one = person(viewer)
    one.page.get_by_role("link", name="Search").click()
    one.page.get_by_label("Words, a “phrase”").fill("borrowing")
    one.page.keyboard.press("Enter")
    expect(one.page.locator("mark").first).to_have_text("borrow")
    one.shoots("search")
    one.page.get_by_label("Type").select_option("agent_output")
    one.page.get_by_role("button", name="Search").click()
    expect(one.page.get_by_text("Nothing found. Try fewer words.")).to_be_visible()
    one.page.get_by_label("Words, a “phrase”").fill("lendign")
    one.page.get_by_label("Type").select_option("")
    one.page.get_by_role("button", name="Search").click()
    one.page.get_by_role("link", name="Lending").click()
    expect(one.page.get_by_text("version 2 of 2")).to_be_visible()
    expect(one.page.locator(".reading")).to_contain_text("three weeks")


def test_the_drawing_of_a_lineage_leads_to_what_it_shows(stale, owner, person):
    one = person(owner)
    one.opens(f"/admin/context/artifact/{made(stale).pk}/change/")
    one.page.get_by_role("link", name="Where this version comes from").click()
    expect(one.page.locator("svg rect")).to_have_count(2)
    expect(one.page.locator("svg a.root.stale")).to_contain_text("Plan of the run")
    one.shoots("lineage")
    one.page.locator("svg a", has_text="Brief").click()
    expect(one.page.get_by_role("heading", name="Where Brief comes from")).to_be_visible()
    expect(one.page.get_by_text("This is out of date")).to_have_count(0)


def test_what_is_stale_leads_to_the_rewind_that_makes_it_anew(stale, owner, person):
    one = person(owner)
    one.opens(f"/admin/context/artifact/{made(stale).pk}/lineage/")
    one.page.get_by_role("link", name="Rewind to the step orchestrate").click()
    expect(one.page.get_by_text("The brief has a newer version")).to_be_visible()
    expect(one.page.get_by_label("Step", exact=True)).to_have_value("orchestrate")
    one.shoots("newer_brief")
    one.page.get_by_role("button", name="Rewind", exact=True).click()
    expect(one.page.get_by_text("The project is rewound.")).to_be_visible()
    advance_project(stale.pk)
    one.page.reload()
    expect(one.page.get_by_text("The steps use version 2 of the brief.")).to_be_visible()


def test_one_sees_what_the_agent_saw_and_reads_it(stale, viewer, person):
    one = person(viewer)
    one.opens(BUILDS)
    one.page.locator("#result_list tbody a").first.click()
    expect(one.page.get_by_role("heading", name="What the agent was given")).to_be_visible()
    row = one.page.get_by_role("row", name=re.compile("Brief"))
    expect(row).to_contain_text("must")
    expect(row).to_contain_text("full")
    one.shoots("build")
    row.get_by_role("link").click()
    expect(one.page.get_by_text("This is not the newest version.")).to_be_visible()


def test_staff_stop_all_coders_and_release_them(running, staff, person):
    one = person(staff)
    one.opens(STOP)
    one.page.get_by_label("Which agents?").select_option("coder")
    one.page.get_by_role("button", name="Stop now").click()
    assert not EmergencyStop.objects.exists()
    one.page.get_by_label("Why? (everybody can read it)").fill("It deletes files.")
    one.page.get_by_role("button", name="Stop now").click()
    expect(one.page.get_by_text("Stopped: ")).to_be_visible()
    one.shoots("stopped")
    one.page.get_by_label("Why can work continue?").fill("It was a drill.")
    one.page.get_by_role("button", name="Release").click()
    expect(one.page.get_by_text("Released: ")).to_be_visible()
    assert not EmergencyStop.objects.active().exists()


def test_an_owner_stops_a_project_and_who_reads_its_page_sees_it(running, owner, viewer, person):
    page = f"/admin/projects/project/{running.pk}/change/"
    other = person(viewer)
    other.opens(page)
    expect(other.page.get_by_text("· live")).to_be_visible()
    one = person(owner)
    one.opens(page)
    one.page.get_by_text("Stop all agents here…").click()
    one.page.locator("#stop-reason").fill("It deletes files.")
    one.page.get_by_role("button", name="Stop now").click()
    for page in (one.page, other.page):
        expect(page.locator("[data-live=stops]")).to_contain_text("It deletes files.")
    one.shoots("stopped_project")


@pytest.fixture
def two_requests(make_project, staff_members):
    projects = [make_project(name=f"Number {n}", auto_start=True) for n in range(2)]
    return [agent_returns(project, work()) for project in projects]


def opened(one, requests, path):
    """What was never opened is not decided from a list."""
    for request in requests:
        one.opens(f"/admin/hitl/hitlrequest/{request.pk}/change/")
    one.opens(path)


def test_changes_are_requested_of_many_with_one_comment(two_requests, approver, person):
    one = person(approver)
    opened(one, two_requests, "/admin/")
    one.page.get_by_label("All on this page").check()
    one.page.get_by_role("button", name="Request changes…").click()
    expect(one.page.locator("form.card li").first).to_contain_text("Number")
    one.page.locator("form.card button[type=submit]").click()
    assert not Decision.objects.exists()
    one.shoots("comment_on_many")
    assert faults_of(one) == []
    one.page.get_by_label("What should change?").fill("Shorter, please.")
    one.page.locator("form.card button[type=submit]").click()
    expect(one.page.get_by_text("All done.")).to_be_visible()
    assert set(Decision.objects.values_list("action", "comment")) == {
        ("request_changes", "Shorter, please.")
    }
    assert Decision.objects.count() == 2


def test_many_are_rejected_from_the_list_with_one_reason(two_requests, approver, person):
    one = person(approver)
    opened(one, two_requests, "/admin/hitl/hitlrequest/")
    one.page.locator("#action-toggle").check()
    one.page.locator("select[name=action]").first.select_option("reject")
    one.page.get_by_role("button", name=re.compile("Run|Go")).first.click()
    one.page.get_by_label("Why?").fill("Not wanted any more.")
    one.page.locator("form.card button[type=submit]").click()
    expect(one.page.get_by_text("rejected").first).to_be_visible()
    assert Decision.objects.filter(action="reject").count() == 2


def test_long_titles_and_what_is_stale_are_fit_for_all_eyes_too(stale, owner, staff, person):
    Artifact.objects.filter(pk=made(stale).pk).update(title=LONG)
    stop(owner, project_id=stale.pk)
    artifact = f"/admin/context/artifact/{made(stale).pk}/"
    one = person(staff)
    for path in (
        f"{artifact}lineage/",
        f"{artifact}change/",
        f"/admin/projects/project/{stale.pk}/change/",
        f"{BUILDS}{ContextBuild.objects.get().pk}/change/",
    ):
        one.opens(path)
        assert faults_of_page(one, path) == {}


def test_the_page_for_a_comment_on_many_has_none_on_a_phone(two_requests, approver, person):
    one = person(approver, **PHONE)
    one.page.get_by_role("checkbox", name="Select:").first.check()
    one.page.get_by_role("button", name="Request changes…").click()
    assert faults_of(one) == []
