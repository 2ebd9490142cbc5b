import json
import re

from playwright.sync_api import expect

from agents.models import Task
from agents.protocols import Completed, Output
from audit.actors import Actor
from hitl.models import Decision, HitlRequest
from hitl.services import decide
from projects.models import Project
from tests.agents.test_tools import BUILD
from tests.openai_server import SOURCE_CODE
from tests.scenes import (
    USAGE,
    agent_returns,
    ask_of_agent,
    current,
    finish,
    questions,
    started,
    work,
)


def request_page(request: HitlRequest) -> str:
    return f"/admin/hitl/hitlrequest/{request.pk}/change/"


def test_a_new_request_appears_without_a_reload(running, approver, person):
    one = person(approver)
    expect(one.page.get_by_text("Nothing is waiting for you")).to_be_visible()
    expect(one.page).to_have_title("Inbox · Paraph")
    request = agent_returns(running, work())
    expect(one.page.get_by_role("link", name=request.title)).to_be_visible()
    expect(one.page).to_have_title("(1) Inbox · Paraph")
    one.shoots("inbox")


def test_a_request_that_somebody_else_decides_leaves_the_inbox(
    plan_request, approver, owner, person
):
    one = person(approver)
    decide(
        request_id=plan_request.pk,
        actor=Actor.of_user(owner),
        action="approve",
        subject_digest=plan_request.subject_digest,
        channel="cli",
    )
    expect(one.page.get_by_text("Nothing is waiting for you")).to_be_visible()


def test_who_reads_a_request_is_warned_when_it_was_decided_meanwhile(
    plan_request, approver, owner, person
):
    one = person(approver)
    one.opens(request_page(plan_request))
    expect(one.page.locator("#changed")).to_be_hidden()
    decide(
        request_id=plan_request.pk,
        actor=Actor.of_user(owner),
        action="approve",
        subject_digest=plan_request.subject_digest,
        channel="cli",
    )
    expect(one.page.locator("#changed")).to_be_visible()
    one.page.get_by_role("button", name="Approve").click()
    expect(one.page.get_by_text("owner has decided already")).to_be_visible()
    one.shoots("refused")


def test_the_keyboard_alone_is_enough(plan_request, make_project, approver, person):
    other = agent_returns(make_project(name="Ferry", auto_start=True), work())
    one = person(approver)
    one.page.get_by_role("link", name=plan_request.title).first.focus()
    one.page.keyboard.press("Enter")
    one.page.wait_for_url(f"**{request_page(plan_request)}")
    one.page.keyboard.press("a")
    one.page.keyboard.press("a")
    expect(one.page.get_by_role("button", name="Approve")).to_be_focused()
    assert not Decision.objects.exists()
    one.page.keyboard.press("Enter")
    one.page.wait_for_url(f"**{request_page(other)}")
    # Who pressed twice meant the one before.
    one.page.keyboard.press("Enter")
    one.page.keyboard.press("c")
    one.page.keyboard.type("Approve nothing while I type: a r m")
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Enter")
    one.page.wait_for_url(f"{one.server}/admin/")
    assert Decision.objects.get(request=plan_request).action == "approve"
    said = Decision.objects.get(request=other)
    assert (said.action, said.comment) == ("request_changes", "Approve nothing while I type: a r m")


def test_shortcuts_can_be_switched_off(plan_request, approver, person):
    one = person(approver)
    one.opens(request_page(plan_request))
    one.page.get_by_label("Keyboard shortcuts").uncheck()
    one.page.reload()
    expect(one.page.get_by_label("Keyboard shortcuts")).not_to_be_checked()
    one.page.keyboard.press("a")
    one.page.keyboard.press("Enter")
    expect(one.page.get_by_role("heading", name="Your decision")).to_be_visible()
    assert not Decision.objects.exists()


def test_an_amendment_is_checked_while_typing_and_goes_on_when_it_is_valid(
    plan_request, approver, person
):
    one = person(approver)
    one.opens(request_page(plan_request))
    one.page.get_by_role("button", name="Amend").click()
    summary = one.page.get_by_label("summary", exact=True)
    summary.fill("")
    expect(one.page.get_by_text(re.compile("^summary: "))).to_be_visible()
    expect(summary).to_have_attribute("aria-invalid", "true")
    expect(one.page.get_by_role("button", name="Use my text")).to_be_disabled()
    one.shoots("amend")
    summary.fill("A plan of my own.")
    expect(one.page.get_by_text("This is valid.")).to_be_visible()
    one.page.get_by_role("button", name="Use my text").click()
    one.page.wait_for_url(f"{one.server}/admin/")
    decision = Decision.objects.get()
    assert (decision.action, decision.decided_by) == ("amend", approver)
    assert decision.content["summary"] == "A plan of my own."
    assert decision.content["body"] == work().outputs[0].content["body"]


def test_an_amendment_can_be_written_as_json(plan_request, approver, person):
    one = person(approver)
    one.opens(request_page(plan_request))
    one.page.keyboard.press("m")
    one.page.get_by_role("button", name="As JSON").click()
    text = one.page.get_by_label("Content")
    text.fill('{"summary": "Mine",')
    expect(one.page.get_by_text("This is not valid JSON")).to_be_visible()
    text.fill(json.dumps({"summary": "Mine", "body": "My body"}))
    one.page.get_by_role("button", name="Use my text").click()
    one.page.wait_for_url(f"{one.server}/admin/")
    assert Decision.objects.get().content["summary"] == "Mine"


def test_only_what_a_person_changes_of_a_call_is_changed(
    make_project, staff_members, owner, approver, person
):
    project = make_project(workflow="none", auto_start=True)
    schema = {"properties": {"amount": {"maximum": 10}, "note": {"type": "string"}}}
    action = ask_of_agent(project, owner, {"order": "1", "amount": 12.5}, edit_schema=schema)
    one = person(approver)
    one.opens(request_page(action.requests.get()))
    one.page.get_by_role("button", name="Amend").click()
    amount = one.page.get_by_role("spinbutton", name="amount", exact=True)
    send = one.page.get_by_role("button", name="Use my")
    amount.fill("")
    expect(one.page.get_by_text("Write a number.")).to_be_visible()
    expect(send).to_be_disabled()
    amount.fill("11.5")
    expect(one.page.get_by_text(re.compile("^amount: "))).to_be_visible()
    expect(amount).to_have_attribute("aria-invalid", "true")
    amount.fill("7.5")
    expect(one.page.get_by_text("This is valid.")).to_be_visible()
    one.shoots("amended-call")
    send.click()
    one.page.wait_for_url(f"{one.server}/admin/")
    action.refresh_from_db()
    assert action.arguments == '{"amount":7.5,"order":"1"}', "no note was added"


def test_questions_are_answered(running, approver, person):
    asked = agent_returns(running, questions())
    one = person(approver)
    one.page.get_by_role("link", name=asked.title).click()
    one.shoots("question")
    one.page.get_by_label("Who lends?").fill("Members")
    one.page.get_by_label("For how long?").fill("Two weeks")
    one.page.get_by_role("button", name="Send the answer").click()
    one.page.wait_for_url(f"{one.server}/admin/")
    assert Task.objects.get(pk=asked.task_id).status == "pending"


def test_many_are_approved_at_once_and_what_changed_meanwhile_is_refused(
    make_project, approver, staff_members, person
):
    projects = [make_project(name=f"Number {n}", auto_start=True) for n in range(3)]
    requests = [agent_returns(project, work()) for project in projects]
    one = person(approver)
    expect(one.page.get_by_role("checkbox", name="Select:")).to_have_count(3)
    one.page.get_by_label("All on this page").check()
    expect(one.page.get_by_text("3 selected. 3 not opened yet")).to_be_visible()
    for request in requests:
        one.page.keyboard.press("j")
        expect(one.page.locator(f"#preview [data-request='{request.pk}']")).to_be_visible()
    expect(one.page.get_by_text("3 selected.", exact=True)).to_be_visible()
    one.shoots("preview")
    # Another digest than that of what would go on now, as if the list had been drawn before.
    one.page.evaluate(
        "id => { document.querySelector(`[name='digest-${id}']`).value = '0'.repeat(64) }",
        str(requests[0].pk),
    )
    one.page.locator("#bulk-bar").get_by_role("button", name="Approve").click()
    expect(one.page.get_by_text("(not_shown)")).to_have_count(1)
    expect(one.page.get_by_text(": approved.")).to_have_count(2)
    one.shoots("bulk")
    assert Decision.objects.count() == 2


def test_the_pane_shows_what_is_decided_and_a_key_alone_decides_nothing(
    plan_request, make_project, approver, person
):
    other = agent_returns(make_project(name="Ferry", auto_start=True), work())
    one = person(approver)
    one.page.keyboard.press("j")
    pane = one.page.locator("#preview")
    expect(pane.get_by_role("heading", name=plan_request.title).first).to_be_visible()
    one.page.keyboard.press("x")
    expect(one.page.get_by_text("1 selected.", exact=True)).to_be_visible()
    one.page.keyboard.press("a")
    one.page.keyboard.press("a")
    expect(pane.get_by_role("button", name="Approve")).to_be_focused()
    assert not Decision.objects.exists()
    one.page.keyboard.press("Enter")
    expect(one.page.get_by_text(f"{plan_request.title}: approved.")).to_be_visible()
    assert [said.request for said in Decision.objects.all()] == [plan_request]
    expect(one.page.locator(f"#request-{other.pk}")).to_be_visible()


def test_comments_on_parts_go_to_the_agent_with_the_request_for_changes(
    plan_request, approver, person
):
    one = person(approver)
    one.opens(request_page(plan_request))
    one.page.get_by_role("button", name="Comment on “Plan of the run”", exact=True).click()
    one.page.keyboard.type("Say who decides.")
    one.page.get_by_role("button", name="Keep for").click()
    one.page.reload()
    expect(one.page.locator("#notes")).to_contain_text("Say who decides.")
    one.page.get_by_role("button", name="Send: request changes").click()
    one.page.wait_for_url(f"{one.server}/admin/")
    assert Decision.objects.get().comment == "On “Plan of the run”: Say who decides."


def test_colours_are_chosen_for_every_page(plan_request, approver, person):
    one = person(approver, color_scheme="light")
    one.page.locator(".side .account summary").click()
    one.page.locator(".side").get_by_role("button", name="Dark").click()
    for path in ("/admin/", "/admin/hitl/hitlrequest/", "/admin/search/"):
        one.opens(path)
        expect(one.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_rejecting_is_confirmed(plan_request, approver, person):
    one = person(approver)
    one.opens(request_page(plan_request))
    one.page.keyboard.press("r")
    one.page.keyboard.type("Not this")
    one.page.get_by_role("button", name="Send: reject").click()
    assert not Decision.objects.exists()
    one.page.get_by_label("Yes, I am sure").check()
    one.page.get_by_role("button", name="Send: reject").click()
    one.page.wait_for_url(f"{one.server}/admin/")
    assert Decision.objects.get().action == "reject"


def test_a_viewer_sees_why_not_before_trying(plan_request, viewer, person):
    one = person(viewer)
    one.opens(request_page(plan_request))
    expect(one.page.get_by_text("(role_too_low)")).to_be_visible()
    expect(one.page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_project_is_created_and_followed_live(owner, staff_members, person):
    one = person(owner)
    one.page.get_by_role("link", name="New project").click()
    one.page.get_by_role("button", name="Create the project").click()
    expect(one.page.get_by_text("Give the project a name")).to_be_visible()
    one.page.get_by_label("Name").fill("Ferry")
    one.page.locator("#id_brief").fill("A timetable for the ferry, for passengers.")
    one.shoots("new_project")
    one.page.get_by_role("button", name="Create the project").click()
    expect(one.page.get_by_role("heading", name="Ferry")).to_be_visible()
    expect(one.page.get_by_text("· live")).to_be_visible()
    agent_returns(Project.objects.get(name="Ferry"), work())
    expect(one.page.get_by_role("link", name="Review")).to_be_visible()
    expect(one.page.get_by_text("agent output · version 1")).to_be_visible()
    one.page.get_by_role("button", name="Pause").click()
    expect(one.page.get_by_role("button", name="Resume")).to_be_visible()
    one.shoots("project")


def test_what_an_agent_wrote_cannot_run(running, approver, person):
    evil = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    request = agent_returns(running, work(summary=evil, body=evil))
    one = person(approver)
    one.opens(request_page(request))
    one.page.evaluate(
        "() => { const s = document.createElement('div');"
        " s.innerHTML = '<img src=x onerror=\"document.title=1\">'; document.body.append(s) }"
    )
    expect(one.page).not_to_have_title("owned")
    # The policy stops even what a script of ours would insert by mistake.
    assert any("Content Security Policy" in said for said in one.complaints)
    one.complaints.clear()


def test_files_that_were_viewed_are_ticked_folded_and_counted(project, owner, person):
    task = current(
        started(project, BUILD.replace("instructions", "gate: result, instructions")), "build"
    )
    program = Completed((Output("source_code", "Adding", SOURCE_CODE),), USAGE)
    one = person(owner)
    one.opens(request_page(finish(task, program)))
    expect(one.page.get_by_text("0 of 3 files viewed.")).to_be_visible()
    box = one.page.get_by_role("checkbox", name="Viewed: adding.py", exact=True)
    box.check()
    expect(one.page.get_by_text("1 of 3 files viewed.")).to_be_visible()
    expect(one.page.locator("details.file", has_text="adding.py").first).not_to_have_attribute(
        "open", ""
    )
    one.page.reload()
    expect(box).to_be_checked()
