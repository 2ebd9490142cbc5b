"""Several people at one request: what one does, the others see without a reload."""

from playwright.sync_api import expect

from audit.actors import Actor
from hitl.models import Comment, Decision, HitlRequest
from hitl.services import add_comment, claim_request
from tests.browser.test_inbox import request_page
from tests.scenes import agent_returns, set_policy, work


def test_what_others_say_and_take_appears_while_one_reads(plan_request, approver, owner, person):
    one = person(approver)
    one.opens(request_page(plan_request))
    one.page.get_by_label("Your comment").fill("I am still writing")
    other = Actor.of_user(owner)
    add_comment(request_id=plan_request.pk, actor=other, text="Two steps only?")
    expect(one.page.get_by_text("Two steps only?")).to_be_visible()
    claim_request(request_id=plan_request.pk, actor=other)
    expect(one.page.get_by_text("owner has claimed it until")).to_be_visible()
    expect(one.page.get_by_label("Your comment")).to_have_value("I am still writing")


def test_one_takes_a_request_talks_about_it_and_hands_it_on(plan_request, approver, owner, person):
    one = person(approver)
    one.opens(request_page(plan_request))
    one.page.get_by_role("button", name="Claim", exact=True).click()
    expect(one.page.get_by_text("You have claimed it until")).to_be_visible()
    one.page.get_by_label("Your comment").fill("Please look at step two.")
    one.page.get_by_role("button", name="Add comment").click()
    expect(one.page.locator("#thread pre")).to_have_text("Please look at step two.")
    one.page.get_by_text("Reassign…").click()
    one.page.get_by_label("Who should decide?").select_option("owner")
    one.page.get_by_role("button", name="Reassign").click()
    expect(one.page.get_by_text("(claimed)")).to_be_visible()
    assert HitlRequest.objects.get().claimed_by == owner
    assert Comment.objects.get().author == approver


def test_two_people_approve_one_after_the_other(running, approver, owner, person):
    set_policy(running, required_approvals=2)
    request = agent_returns(running, work())
    for user, given in ((approver, "0 of 2"), (owner, "1 of 2")):
        one = person(user)
        one.opens(request_page(request))
        expect(one.page.get_by_text(f"{given} approvals")).to_be_visible()
        one.page.keyboard.press("a")
        one.page.keyboard.press("Enter")
        one.page.wait_for_url(f"{one.server}/admin/")
    assert HitlRequest.objects.get().status == "approved"


def test_an_owner_goes_past_the_rules_and_says_why(plan_request, approver, owner, person):
    claim_request(request_id=plan_request.pk, actor=Actor.of_user(approver))
    one = person(owner)
    one.opens(request_page(plan_request))
    one.page.get_by_text("Override the rules…").click()
    expect(one.page.get_by_text("somebody else has claimed it")).to_be_visible()
    one.page.get_by_role("radio", name="Approve").check()
    one.page.get_by_label("Why can't it wait").fill("The fair is tomorrow.")
    one.page.get_by_label("Yes, override the rules").check()
    one.page.get_by_role("button", name="Decide against the rules").click()
    one.page.wait_for_url(f"{one.server}/admin/")
    assert Decision.objects.get().is_break_glass


def test_materials_are_read_in_place(plan_request, approver, person):
    one = person(approver)
    one.opens(request_page(plan_request))
    button = one.page.get_by_role("button", name="Read here: Brief")
    button.click()
    expect(one.page.locator(".read-here")).to_contain_text("Members borrow books.")
    expect(button).to_have_attribute("aria-expanded", "true")
    button.click()
    expect(one.page.locator(".read-here")).to_be_hidden()


def test_a_step_is_chosen_for_the_rewind_where_it_stands(plan_request, running, owner, person):
    one = person(owner)
    one.opens(f"/admin/projects/project/{running.pk}/change/")
    one.page.get_by_role("link", name="Rewind here: Plan of the run").click()
    one.page.get_by_label("What should be different?").fill("Shorter.")
    one.page.get_by_role("button", name="Rewind", exact=True).click()
    expect(one.page.get_by_text("The project is rewound.")).to_be_visible()
    assert HitlRequest.objects.get().status != "pending"
