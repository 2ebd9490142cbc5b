import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from orchestrator.engine.advance import advance_project
from projects.models import Membership, Project

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

PROJECTS = "/api/v1/projects/"
NEW = {"name": "Library", "brief": "Members borrow books."}
# The verb, what the project has gone through before, and how it is then.
VERBS = [
    ("start", [], "active"),
    ("pause", ["start"], "paused"),
    ("resume", ["start", "pause"], "active"),
    ("cancel", ["start"], "cancelled"),
    ("cancel", [], "cancelled"),
]
WRONG = [
    ("pause", []),
    ("resume", []),
    ("resume", ["start"]),
    ("start", ["start", "pause"]),
    ("start", ["cancel"]),
    ("pause", ["cancel"]),
    ("resume", ["cancel"]),
]


def verb_of(project, verb):
    return f"{PROJECTS}{project.pk}/{verb}/"


def go_through(api, project, verbs):
    for verb in verbs:
        assert api.post(verb_of(project, verb)).status_code == 200


def test_a_new_project_starts_at_once_and_belongs_to_its_maker(owner, client_of):
    response = client_of(owner).post(PROJECTS, NEW)

    shown = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"{PROJECTS}{shown['id']}/"
    assert (shown["status"], shown["role"], shown["created_by"]) == ("active", "owner", owner.pk)
    assert (shown["workflow"], shown["oversight_level"]) == ("sdlc", "high")
    assert client_of(owner).get(response["Location"]).json() == shown


def test_a_new_project_waits_when_asked_to(owner, client_of):
    shown = client_of(owner).post(PROJECTS, NEW | {"auto_start": False}).json()

    assert (shown["status"], shown["started_at"]) == ("draft", None)


@pytest.mark.parametrize(("verb", "before", "after"), VERBS)
def test_a_verb_works_where_the_state_allows_it(project, owner, client_of, verb, before, after):
    api = client_of(owner)
    go_through(api, project, before)

    response = api.post(verb_of(project, verb))

    assert (response.status_code, response.json()["status"]) == (200, after)


@pytest.mark.parametrize(("verb", "before", "after"), VERBS)
def test_a_verb_twice_is_a_wrong_state(project, owner, client_of, verb, before, after):
    api = client_of(owner)
    go_through(api, project, [*before, verb])

    response = api.post(verb_of(project, verb))

    assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")


@pytest.mark.parametrize(("verb", "before"), WRONG)
def test_a_verb_in_a_wrong_state_says_what_is_possible(project, owner, client_of, verb, before):
    api = client_of(owner)
    go_through(api, project, before)
    events = Event.objects.count()

    response = api.post(verb_of(project, verb))

    assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")
    assert "Possible now" in response.json()["detail"]
    assert Event.objects.count() == events


@pytest.mark.parametrize("verb", ["start", "pause", "resume", "cancel"])
@pytest.mark.parametrize("who", ["approver", "viewer"])
def test_only_owners_move_a_project(project, approver, viewer, client_of, verb, who):
    user = {"approver": approver, "viewer": viewer}[who]

    response = client_of(user).post(verb_of(project, verb))

    assert (response.status_code, response.json()["code"]) == (403, "role_too_low")
    assert Project.objects.get().status == "draft"


def test_a_superuser_can_stop_a_project(project, staff, client_of):
    response = client_of(staff).post(verb_of(project, "cancel"), {"reason": "Abandoned."})

    assert response.json()["status_reason"] == "Abandoned."
    assert response.json()["role"] is None


def test_a_draft_can_be_changed_altogether(project, owner, client_of):
    wanted = {"name": "Archive", "brief": "Papers.", "oversight_level": "low"}

    shown = client_of(owner).patch(f"{PROJECTS}{project.pk}/", wanted).json()

    assert wanted.items() <= shown.items()


def test_the_brief_is_fixed_after_the_start(project, owner, client_of):
    api = client_of(owner)
    go_through(api, project, ["start"])

    refused = api.patch(f"{PROJECTS}{project.pk}/", {"brief": "Other."})
    changed = api.patch(f"{PROJECTS}{project.pk}/", {"name": "Other"})

    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_transition")
    assert changed.json()["name"] == "Other"


def test_a_viewer_changes_nothing(project, viewer, client_of):
    response = client_of(viewer).patch(f"{PROJECTS}{project.pk}/", {"name": "Mine"})

    assert response.status_code == 403


def test_the_list_shows_only_what_the_caller_may_see(
    project, make_project, owner, outsider, client_of
):
    make_project()

    assert client_of(owner).get(PROJECTS).json()["count"] == 2
    assert client_of(outsider).get(PROJECTS).json()["count"] == 0


def test_the_list_is_newest_first_in_pages(project, make_project, owner, client_of):
    ids = [str(one.pk) for one in (project, *(make_project() for _ in range(4)))]

    first = client_of(owner).get(PROJECTS, {"page_size": 3}).json()
    second = client_of(owner).get(first["next"]).json()

    shown = [one["id"] for one in first["results"] + second["results"]]
    assert shown == ids[::-1]


def test_the_list_filters_by_status_and_role(project, viewer, client_of):
    def count(**filters):
        return client_of(viewer).get(PROJECTS, filters).json()["count"]

    assert count(status="draft", role="viewer", q="libr") == 1
    assert count(status="active") == 0
    assert count(role="owner") == 0


def test_the_list_takes_as_many_queries_for_many_as_for_one(make_project, owner, client_of):
    api = client_of(owner)
    make_project()
    with CaptureQueriesContext(connection) as for_one:
        api.get(PROJECTS)
    for _ in range(4):
        make_project()

    with CaptureQueriesContext(connection) as for_five:
        api.get(PROJECTS)

    assert len(for_five) == len(for_one)


@pytest.mark.parametrize("by", ["pk", "username"])
def test_an_owner_adds_a_member(project, owner, outsider, client_of, by):
    body = {"user": getattr(outsider, by), "role": "viewer"}

    response = client_of(owner).post(f"{PROJECTS}{project.pk}/members/", body)

    assert response.status_code == 201
    assert (response.json()["username"], response.json()["role"]) == ("outsider", "viewer")
    assert client_of(outsider).get(f"{PROJECTS}{project.pk}/").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"user": 10**30, "role": "viewer"},
        {"user": "nobody", "role": "viewer"},
        {"user": "a\0", "role": "viewer"},
        {"user": True, "role": "viewer"},
        {"user": None},
        {"role": "viewer"},
        {"user": "outsider", "role": "god"},
        {"user": ["outsider"]},
    ],
)
def test_a_member_must_be_a_user_in_a_known_role(project, owner, outsider, client_of, body):
    response = client_of(owner).post(f"{PROJECTS}{project.pk}/members/", body)

    assert response.status_code == 400
    assert Membership.objects.filter(project=project).count() == 3


def test_members_are_listed_and_removed(project, owner, viewer, client_of):
    api = client_of(owner)

    response = api.delete(f"{PROJECTS}{project.pk}/members/{viewer.pk}/")
    again = api.delete(f"{PROJECTS}{project.pk}/members/{viewer.pk}/")

    assert (response.status_code, again.status_code) == (204, 404)
    members = api.get(f"{PROJECTS}{project.pk}/members/").json()["results"]
    assert [member["username"] for member in members] == ["owner", "approver"]


def test_the_last_owner_stays(project, owner, client_of):
    api = client_of(owner)

    removed = api.delete(f"{PROJECTS}{project.pk}/members/owner/")
    lowered = api.post(f"{PROJECTS}{project.pk}/members/", {"user": "owner", "role": "viewer"})

    assert (removed.status_code, removed.json()["code"]) == (409, "last_owner")
    assert (lowered.status_code, lowered.json()["code"]) == (409, "last_owner")


@pytest.mark.parametrize("user", ["9" * 23, "9" * 5000, "nobody", "0", "%00"])
def test_who_is_no_member_cannot_be_removed(project, owner, client_of, user):
    response = client_of(owner).delete(f"{PROJECTS}{project.pk}/members/{user}/")

    assert response.status_code == 404


def test_a_viewer_sees_members_and_adds_none(project, viewer, client_of):
    api = client_of(viewer)

    assert api.get(f"{PROJECTS}{project.pk}/members/").json()["count"] == 3
    body = {"user": "viewer", "role": "owner"}
    assert api.post(f"{PROJECTS}{project.pk}/members/", body).status_code == 403


def test_cancelling_ends_open_work(project, owner, client_of):
    api = client_of(owner)
    go_through(api, project, ["start"])
    advance_project(project.pk)

    api.post(verb_of(project, "cancel"))

    tasks = api.get("/api/v1/tasks/", {"project": project.pk}).json()["results"]
    assert [task["status"] for task in tasks] == ["cancelled"]


@pytest.mark.parametrize("role", ["viewer", "outsider"])
def test_who_may_not_add_members_is_not_told_whether_there_is_a_user(
    project, client_of, outsider, request, role
):
    api = client_of(request.getfixturevalue(role))
    path = f"{PROJECTS}{project.pk}/members/"
    for send in (
        lambda name: api.post(path, {"user": name, "role": "viewer"}, format="json"),
        lambda name: api.delete(f"{path}{name}/"),
    ):
        there, absent = send("outsider"), send("nobody")
        assert there.status_code == absent.status_code
        assert there.status_code in (403, 404)
        assert there.json()["detail"] == absent.json()["detail"]


def test_removing_tells_nobody_whether_there_is_a_user(project, owner, outsider, client_of):
    path = f"{PROJECTS}{project.pk}/members/"
    there, absent = (client_of(owner).delete(f"{path}{name}/") for name in ("outsider", "nobody"))

    assert (there.status_code, absent.status_code) == (404, 404)
    assert there.json()["detail"] == absent.json()["detail"]
