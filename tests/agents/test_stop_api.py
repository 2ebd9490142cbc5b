import pytest

from agents.models import EmergencyStop
from agents.stops.services import acknowledge_stops
from agents.worker.registry import report_process
from audit.actors import Actor
from audit.models import Event
from projects.services import add_member
from tests.fixtures import allow_to_stop_everything

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]
STOP = "/api/v1/emergency-stop/"
RELEASE = f"{STOP}release/"
WHY = {"reason": "It deletes files."}


@pytest.fixture
def on_commit(django_capture_on_commit_callbacks):
    return django_capture_on_commit_callbacks


@pytest.fixture
def post(client_of):
    return lambda user, path, **body: client_of(user).post(path, WHY | body)


@pytest.fixture
def get(client_of):
    return lambda user, path=STOP: client_of(user).get(path)


def test_staff_stop_everything_and_release_it(staff, post, get):
    answer = post(staff, STOP, scope="all")

    shown = answer.json()
    assert answer.status_code == 201
    assert (shown["scope"], shown["project"], shown["agent_type"]) == ("all", None, "")
    assert (shown["is_active"], shown["activated_by_username"]) == (True, "staff")
    assert get(staff, answer.headers["Location"]).json() == shown
    over = post(staff, RELEASE, reason="It was a drill.")
    assert over.status_code == 200
    assert (over.json()["is_active"], over.json()["release_reason"]) == (False, "It was a drill.")


def test_whoever_has_the_permission_stops_everything(outsider, post):
    allow_to_stop_everything(outsider)

    assert post(outsider, STOP).status_code == 201
    assert post(outsider, RELEASE).status_code == 200


@pytest.mark.parametrize(("first", "second"), [("owner", "staff"), ("staff", "owner")])
def test_a_stop_is_released_only_from_its_level(project, post, request, first, second):
    setter, other = map(request.getfixturevalue, (first, second))
    post(setter, STOP, project=str(project.pk))

    refusal = post(other, RELEASE, project=str(project.pk))

    assert (refusal.status_code, refusal.json()["code"]) == (403, "stopped_at_another_level")
    assert EmergencyStop.objects.get().is_active
    assert not post(setter, RELEASE, project=str(project.pk)).json()["is_active"]


def test_what_both_have_stopped_stands_until_both_release_it(
    project, owner, staff, post, on_commit
):
    with on_commit(execute=True):
        post(owner, STOP, project=str(project.pk))
    with on_commit(execute=True):
        second = post(staff, STOP, project=str(project.pk))
    assert (second.status_code, second.json()["level"]) == (200, "both")

    with on_commit(execute=True):
        held = post(owner, RELEASE, project=str(project.pk)).json()
    assert (held["is_active"], held["level"]) == (True, "installation")
    with on_commit(execute=True):
        assert not post(staff, RELEASE, project=str(project.pk)).json()["is_active"]
    levels = Event.objects.filter(project=project.pk, event_type__startswith="emergency_stop")
    assert list(levels.order_by("sequence").values_list("data__level", flat=True)) == [
        *("project", "installation", "project", "installation")
    ]


def test_an_owner_stops_the_own_project_and_releases_it(project, owner, post):
    answer = post(owner, STOP, project=str(project.pk))

    assert (answer.status_code, answer.json()["scope"]) == (201, "project")
    assert post(owner, RELEASE, project=str(project.pk)).status_code == 200


def test_one_agent_type_is_stopped(project, owner, post):
    answer = post(owner, STOP, project=str(project.pk), agent_type="coder", scope="agent_type")

    assert (answer.status_code, answer.json()["agent_type"]) == (201, "coder")


def test_the_same_again_changes_nothing(staff, post):
    first, second = post(staff, STOP), post(staff, STOP, reason="Again.")
    assert (second.status_code, second.json()) == (200, first.json())

    first, second = post(staff, RELEASE), post(staff, RELEASE, reason="Again.")
    assert (second.status_code, second.json()) == (200, first.json())
    assert EmergencyStop.objects.count() == 1


@pytest.mark.parametrize("path", [STOP, RELEASE])
@pytest.mark.parametrize(
    ("person", "status", "code"),
    [
        ("approver", 403, "role_too_low"),
        ("viewer", 403, "role_too_low"),
        ("outsider", 404, "not_found"),
    ],
)
def test_who_does_not_own_the_project_is_refused(
    project, owner, post, request, path, person, status, code
):
    post(owner, STOP, project=str(project.pk))

    answer = post(request.getfixturevalue(person), path, project=str(project.pk))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert EmergencyStop.objects.get().is_active


@pytest.mark.parametrize("person", ["owner", "approver", "viewer", "outsider"])
@pytest.mark.parametrize("path", [STOP, RELEASE])
def test_all_projects_are_for_who_has_the_permission(post, request, person, path):
    answer = post(request.getfixturevalue(person), path, scope="all")

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_required")


def test_a_release_of_what_was_never_stopped_is_not_found(staff, post):
    answer = post(staff, RELEASE)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_stopped")


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("reason", {"reason": ""}),
        ("reason", {"reason": "   "}),
        ("reason", {"reason": "x" * 2001}),
        ("reason", {"reason": None}),
        ("reason", {"reason": 7}),
        ("project", {"project": "no id"}),
        ("agent_type", {"agent_type": "gardener"}),
        ("scope", {"scope": "project"}),
        ("scope", {"scope": "all", "agent_type": "coder"}),
        ("scope", {"scope": "some"}),
        ("projekt", {"projekt": "x"}),
    ],
)
@pytest.mark.parametrize("path", [STOP, RELEASE])
def test_bad_input_names_its_field(staff, post, path, field, body):
    answer = post(staff, path, **body)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not EmergencyStop.objects.exists()


def test_a_reason_must_be_there(staff, client_of):
    answer = client_of(staff).post(STOP, {})

    assert answer.status_code == 400
    assert answer.json()["errors"][0] == {
        "field": "reason",
        "code": "required",
        "detail": "This field is required.",
    }


def test_a_project_that_is_not_there_is_not_found(staff, post):
    gone = "01890000-0000-7000-8000-000000000000"

    assert post(staff, STOP, project=gone).status_code == 404


def test_everybody_sees_a_stop_of_everything_and_members_that_of_their_project(
    project, owner, staff, viewer, outsider, post, get
):
    post(staff, STOP)
    post(owner, STOP, project=str(project.pk))

    assert [one["scope"] for one in get(viewer).json()["results"]] == ["project", "all"]
    assert [one["scope"] for one in get(staff).json()["results"]] == ["project", "all"]
    assert [one["scope"] for one in get(outsider).json()["results"]] == ["all"]
    hidden = EmergencyStop.objects.get(project=project)
    assert get(outsider, f"{STOP}{hidden.pk}/").status_code == 404


def test_the_list_can_be_narrowed(project, owner, staff, post, get):
    post(staff, STOP, agent_type="coder")
    post(owner, STOP, project=str(project.pk))
    post(owner, RELEASE, project=str(project.pk))

    found = {
        query: [one["scope"] for one in get(staff, f"{STOP}?{query}").json()["results"]]
        for query in ("is_active=true", f"project={project.pk}", "agent_type=coder")
    }

    assert list(found.values()) == [["agent_type"], ["project"], ["agent_type"]]


def test_acknowledgements_and_their_time_are_shown(staff, post, get):
    report_process("host:1:2")
    shown = post(staff, STOP).json()
    assert shown["workers"] == {
        "expected": 1,
        "acknowledged": 0,
        "missing": ["host:1:2"],
        "gone": 0,
    }
    assert shown["seconds_to_last_acknowledgement"] is None

    acknowledge_stops("host:1:2", [shown["id"]])

    shown = get(staff, f"{STOP}{shown['id']}/").json()
    assert shown["workers"] == {
        "expected": 1,
        "acknowledged": 1,
        "missing": [],
        "gone": 0,
    }
    assert 0 < shown["seconds_to_last_acknowledgement"] < 60


def test_a_stop_can_be_sent_again_safely(staff, client_of):
    client = client_of(staff)
    first = client.post(STOP, WHY, headers={"Idempotency-Key": "a"})
    second = client.post(STOP, WHY, headers={"Idempotency-Key": "a"})

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.json() == second.json()


def test_staff_do_not_see_the_stops_of_projects_that_are_not_theirs(
    project, owner, outsider, post, get
):
    outsider.is_staff = True
    outsider.save()
    post(owner, STOP, project=str(project.pk))

    assert get(outsider).json()["results"] == []
    assert post(outsider, STOP, project=str(project.pk)).status_code == 404


def test_an_owner_releases_what_another_owner_stopped_and_not_what_stops_all(
    project, owner, outsider, staff, post
):
    actor = Actor.of_user(owner)
    add_member(project_id=project.pk, actor=actor, user=outsider, role="owner")
    post(outsider, STOP, project=str(project.pk))
    post(staff, STOP)

    over = post(owner, RELEASE, project=str(project.pk))

    assert over.status_code == 200
    assert over.json()["activated_by_username"] == "outsider"
    assert over.json()["released_by_username"] == "owner"
    assert post(owner, RELEASE).status_code == 403
    assert EmergencyStop.objects.active().get().scope == "all"
