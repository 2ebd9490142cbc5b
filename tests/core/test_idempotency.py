import threading

import pytest
from django.db import connections
from rest_framework.test import APIRequestFactory, force_authenticate

from core.errors import DomainError
from core.models import IdempotencyKey
from core.viewsets import APIView
from hitl.models import Decision
from projects import transaction
from projects.models import Project
from tests.scenes import asked

pytestmark = pytest.mark.django_db

PROJECTS = "/api/v1/projects/"
NEW = {"name": "Library", "brief": "Members borrow books.", "auto_start": False}


def post(api, body=NEW, key="k-1", path=PROJECTS):
    return api.post(path, body, headers={"Idempotency-Key": key})


def test_the_same_key_and_body_replays_the_first_answer(owner, client_of):
    api = client_of(owner)

    first, second = post(api), post(api)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert second["Location"] == first["Location"]
    assert Project.objects.count() == 1


def test_another_body_with_the_same_key_is_refused(owner, client_of):
    api = client_of(owner)
    post(api)

    response = post(api, NEW | {"name": "Other"})

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert Project.objects.count() == 1


def test_another_path_with_the_same_key_is_refused(project, owner, client_of):
    api = client_of(owner)
    post(api, {}, path=f"{PROJECTS}{project.pk}/start/")

    response = post(api, {}, path=f"{PROJECTS}{project.pk}/pause/")

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_the_key_of_another_person_is_another_key(owner, approver, client_of):
    assert post(client_of(owner)).status_code == 201
    assert post(client_of(approver)).status_code == 201
    assert Project.objects.count() == 2


def test_a_refused_request_is_replayed_as_the_problem_that_it_was(owner, client_of):
    api = client_of(owner)

    first, second = (
        post(api, NEW | {"workflow": "nonesuch"}),
        post(api, NEW | {"workflow": "nonesuch"}),
    )

    assert (first.status_code, second.status_code) == (400, 400)
    assert first.json() == second.json()
    assert second["Content-Type"] == "application/problem+json"
    assert Project.objects.count() == 0


def test_a_decision_that_is_sent_twice_is_one_decision(project, approver, client_of):
    request = asked(project)
    body = {"action": "approve", "subject_digest": request.subject_digest}
    path = f"/api/v1/hitl/requests/{request.pk}/decisions/"

    answers = [post(client_of(approver), body, path=path) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Decision.objects.count() == 1


def test_an_empty_answer_is_replayed_too(project, owner, viewer, client_of):
    path = f"{PROJECTS}{project.pk}/members/{viewer.pk}/"
    headers = {"Idempotency-Key": "k-1"}

    answers = [client_of(owner).delete(path, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]


@pytest.mark.parametrize("key", ["", "x" * 256, "with\x00null", "ключ"])
def test_a_key_that_cannot_be_kept_is_refused(owner, client_of, key):
    response = post(client_of(owner), key=key)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


def test_without_a_key_each_request_counts(owner, client_of):
    api = client_of(owner)

    api.post(PROJECTS, NEW)
    api.post(PROJECTS, NEW)

    assert Project.objects.count() == 2


def test_reading_needs_no_key(owner, client_of):
    client_of(owner).get(PROJECTS, headers={"Idempotency-Key": "k-1"})

    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_request_that_dies_midway_leaves_nothing_and_can_be_sent_again(
    owner, client_of, monkeypatch
):
    api = client_of(owner)
    api.raise_request_exception = False

    def die(*arguments, **kwargs):
        raise SystemError("killed")

    with monkeypatch.context() as edge:
        edge.setattr(transaction, "record_all", die)
        assert post(api).status_code == 500
    assert not IdempotencyKey.objects.exists()
    assert not Project.objects.exists()

    assert post(api).status_code == 201
    assert Project.objects.count() == 1


class Away(DomainError):
    status = 503


class AwayView(APIView):
    def post(self, request):
        raise Away("away", "Something that is needed is away.")


def test_an_answer_of_503_is_not_the_last_word(owner):
    request = APIRequestFactory().post("/", {}, headers={"Idempotency-Key": "k-1"})
    force_authenticate(request, owner)

    assert AwayView.as_view()(request).status_code == 503
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_once_takes_effect_once(owner, client_of):
    start, answers = threading.Barrier(3), []

    def send(api) -> None:
        start.wait()
        answers.append(post(api))
        connections.close_all()

    threads = [threading.Thread(target=send, args=[client_of(owner)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Project.objects.count() == 1
