"""Who is at a request: claim, release, reassign, and the thread."""

import pytest

from core.errors import Forbidden
from hitl.models import Comment, HitlRequest
from hitl.selectors import waiting_for_me
from tests.scenes import asked, decide_as, event_of, fresh, join, let_pass, set_policy, types_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


@pytest.fixture
def item(project):
    return asked(project)


@pytest.fixture
def post(client_of, item):
    def do(user, what, body=None):
        return client_of(user).post(f"/api/v1/hitl/requests/{item.pk}/{what}/", body or {})

    return do


def mine(user) -> bool:
    return waiting_for_me(HitlRequest.objects.all(), user).exists()


def test_a_claim_shows_who_is_at_it_and_until_when(item, post, approver):
    answer = post(approver, "claim")

    claim = answer.json()["claim"]
    assert answer.status_code == 200
    assert (claim["user"], claim["username"]) == (approver.pk, "approver")
    assert event_of(item, "hitl_request_claimed").actor == f"user:{approver.pk}"


def test_meanwhile_others_are_refused_and_it_is_not_theirs_to_do(item, post, approver, owner):
    post(approver, "claim")

    with pytest.raises(Forbidden) as refusal:
        decide_as(owner, item)

    assert refusal.value.code == "claimed"
    assert "approver has claimed it" in refusal.value.detail
    assert (mine(owner), mine(approver)) == (False, True)
    assert post(owner, "claim").json()["code"] == "claimed"


def test_who_has_it_decides(item, post, approver):
    post(approver, "claim")

    assert decide_as(approver, item).action == "approve"


def test_a_claim_ends_by_itself(item, post, approver, owner, settings):
    post(approver, "claim")
    let_pass(item, settings.HITL_CLAIM_SECONDS + 1)

    assert mine(owner)
    assert decide_as(owner, item).action == "approve"


def test_claiming_again_starts_the_time_anew(item, post, approver):
    post(approver, "claim")
    let_pass(item, 60)
    before = fresh(item).claimed_until

    post(approver, "claim")

    assert fresh(item).claimed_until > before


@pytest.mark.parametrize("name", ["approver", "owner"])
def test_who_has_it_or_an_owner_releases_it(item, post, approver, owner, request, name):
    post(approver, "claim")

    answer = post(request.getfixturevalue(name), "release")

    assert (answer.status_code, answer.json()["claim"]) == (200, None)
    assert event_of(item, "hitl_request_released").data["user"] == approver.pk
    assert mine(owner)


def test_another_approver_may_not_take_it_away(item, post, project, approver):
    post(approver, "claim")
    other = join(project, "other")

    for what, body in (("release", {}), ("reassign", {"user": "other"})):
        answer = post(other, what, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "claimed")
    assert fresh(item).claimed_by == approver


def test_releasing_what_nobody_has_does_nothing(item, post, approver):
    assert post(approver, "release").status_code == 200
    assert types_of(item) == ["hitl_request_created"]


def test_it_is_handed_on_to_a_member_who_may_decide(item, post, approver, owner):
    post(approver, "claim")

    answer = post(approver, "reassign", {"user": "owner"})

    assert answer.json()["claim"]["username"] == "owner"
    assert event_of(item, "hitl_request_reassigned").data["username"] == "owner"
    assert (mine(owner), mine(approver)) == (True, False)


@pytest.mark.parametrize(
    ("name", "code"), [("viewer", "role_too_low"), ("outsider", "not_a_member")]
)
def test_it_is_not_handed_on_to_who_may_not(item, post, owner, request, name, code):
    request.getfixturevalue(name)

    answer = post(owner, "reassign", {"user": name})

    assert (answer.status_code, answer.json()["code"]) == (422, "assignee_cannot_decide")
    assert answer.json()["errors"][0]["code"] == code
    assert fresh(item).claimed_by is None


def test_reassigning_does_not_tell_whether_there_is_such_a_user(post, owner, outsider):
    answers = [
        post(owner, "reassign", {"user": user}).json()
        for user in ("outsider", outsider.pk, "nobody", 10**8, "a\0b")
    ]

    assert [answer["errors"] for answer in answers] == [answers[0]["errors"]] * len(answers)
    assert answers[0]["errors"][0]["code"] == "not_a_member"


@pytest.mark.parametrize("body", [{}, {"user": None}, {"user": [1]}])
def test_reassigning_names_a_user(post, owner, body):
    answer = post(owner, "reassign", body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "user")


@pytest.mark.parametrize(("name", "status"), [("viewer", 403), ("outsider", 404), ("staff", 403)])
def test_who_may_not_decide_changes_nothing(item, post, request, subtests, name, status):
    user = request.getfixturevalue(name)
    for what in ("claim", "release", "reassign", "comments"):
        with subtests.test(what):
            body = {"reassign": {"user": "approver"}, "comments": {"text": "Hello"}}.get(what)

            assert post(user, what, body).status_code == status
            assert types_of(item) == ["hitl_request_created"]


def test_what_is_settled_is_nobodys_any_more(item, post, approver, owner, subtests):
    decide_as(owner, item)

    for what in ("claim", "release", "reassign"):
        with subtests.test(what):
            answer = post(approver, what, {"user": "owner"} if what == "reassign" else None)

            assert (answer.status_code, answer.json()["code"]) == (409, "request_closed")


def test_with_several_approvals_a_claim_ends_with_ones_own(project, owner, approver, client_of):
    set_policy(project, required_approvals=2)
    request = asked(project)
    client_of(approver).post(f"/api/v1/hitl/requests/{request.pk}/claim/")

    decide_as(approver, request)

    assert fresh(request).claimed_by is None
    assert decide_as(owner, request).action == "approve"


def test_a_comment_is_in_the_thread_that_all_members_read(item, post, approver, viewer, client_of):
    answer = post(approver, "comments", {"text": " Is the risk known? "})

    thread = client_of(viewer).get(f"/api/v1/hitl/requests/{item.pk}/comments/").json()
    assert answer.status_code == 201
    assert [one["text"] for one in thread["results"]] == ["Is the risk known?"]
    assert thread["results"][0]["author_username"] == "approver"
    assert event_of(item, "hitl_comment_added").data["comment"] == thread["results"][0]["id"]


def test_the_log_does_not_hold_what_was_said(item, post, approver):
    post(approver, "comments", {"text": "A secret of ours"})

    assert "secret" not in str(event_of(item, "hitl_comment_added").data)


def test_a_comment_decides_nothing_and_is_possible_after_the_decision(item, post, owner, approver):
    post(approver, "comments", {"text": "I approve."})
    assert fresh(item).status == "pending"
    decide_as(owner, item)

    assert post(approver, "comments", {"text": "Why so soon?"}).status_code == 201


@pytest.mark.parametrize("text", ["", "   ", None, 5, "a\0b", "x" * 10_001])
def test_a_bad_comment_names_the_field(item, post, approver, text):
    answer = post(approver, "comments", {"text": text})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "text")
    assert not Comment.objects.exists()


def test_an_outsider_does_not_read_the_thread(item, outsider, client_of):
    assert client_of(outsider).get(f"/api/v1/hitl/requests/{item.pk}/comments/").status_code == 404


def test_an_owner_may_claim_what_has_escalated_before_the_sweep_was_here(
    project, client_of, approver, owner, settings
):
    set_policy(project, expire_after=60, on_timeout="escalate")
    request = asked(project)
    claim = f"/api/v1/hitl/requests/{request.pk}/claim/"
    settings.HITL_CLAIM_SECONDS = 10_000
    assert client_of(approver).post(claim, {}).status_code == 200
    let_pass(request, 100)
    HitlRequest.objects.filter(pk=request.pk).update(claimed_until="2100-01-01T00:00:00Z")

    assert client_of(owner).post(claim, {}).status_code == 200

    assert fresh(request).claimed_by == owner
    assert "hitl_request_escalated" in types_of(request)
