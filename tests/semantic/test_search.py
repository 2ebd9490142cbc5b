import logging

import pytest
from django.db import connection

from agents.protocols import WorkError
from agents.providers.embedding import embed
from agents.services import activate_emergency_stop, release_emergency_stop
from audit.actors import Actor
from context.models import Artifact, Body
from context.services import add_version, create_artifact
from orchestrator.engine.erasure import erase_project
from projects.services import cancel_project
from semantic import embedding, search
from semantic.embedding import embed_missing
from tests.openai_server import hang, raw, refusal

SEARCH = "/api/v1/search/"
CARS = "# Cars\n\nThe automobile is a vehicle."
BOOKS = "# Books\n\nA novel for reading."


def note(project, body, title="Notes"):
    return create_artifact(
        actor=Actor.of_user(project.created_by),
        project_id=project.pk,
        artifact_type="agent_output",
        title=title,
        content={"summary": "Trees.", "body": body},
    )


def asked(client, **query):
    response = client.get(SEARCH, {"granularity": "section"} | query)
    assert response.status_code == 200, response.content
    return response.json()


def titles(body):
    return [hit["title"] for hit in body["results"]]


def embeddings():
    with connection.cursor() as cursor:
        cursor.execute("SELECT body_id, model FROM context_embeddings ORDER BY body_id")
        return cursor.fetchall()


def test_what_means_the_same_is_found_first(semantic, project, viewer, client_of):
    note(project, f"{CARS}\n\n{BOOKS}")
    embed_missing()

    assert titles(asked(client_of(viewer), q="cars", mode="semantic"))[0] == "Cars"
    assert titles(asked(client_of(viewer), q="book", mode="semantic"))[0] == "Books"


def test_both_ways_together_find_what_either_finds(semantic, project, viewer, client_of):
    note(project, f"{CARS}\n\n# Slang\n\nWheels, a car\n\n{BOOKS}")
    embed_missing()

    results = titles(asked(client_of(viewer), q="car", mode="hybrid"))

    assert results[0] == "Slang"
    assert "Cars" in results


def test_nobody_finds_what_they_may_not_see(semantic, project, outsider, staff, client_of):
    note(project, CARS)
    embed_missing()

    for mode in ("semantic", "hybrid"):
        assert titles(asked(client_of(outsider), q="car", mode=mode)) == []
        assert titles(asked(client_of(outsider), q="car", mode=mode, project=project.pk)) == []
        assert "Cars" in titles(asked(client_of(staff), q="car", mode=mode))


def test_only_current_versions_and_what_the_filters_want(
    semantic, project, viewer, owner, client_of
):
    artifact = note(project, CARS)
    add_version(
        actor=Actor.of_user(owner),
        artifact_id=artifact.pk,
        content={"summary": "S", "body": "# Bicycles\n\nA vehicle."},
    )
    Artifact.objects.filter(pk=artifact.pk).update(accepted_version=2)
    embed_missing()
    client = client_of(viewer)

    assert "Bicycles" in titles(asked(client, q="car", mode="semantic"))
    assert "Cars" not in titles(asked(client, q="car", mode="semantic"))
    other = {"artifact_type": "source_code"}
    assert titles(asked(client, q="car", mode="semantic", **other)) == []


def test_a_document_is_named_once(semantic, project, viewer, client_of):
    note(project, f"{CARS}\n\n# More cars\n\nVehicles.", title="On cars")
    embed_missing()

    for mode in ("semantic", "hybrid"):
        results = asked(client_of(viewer), q="car", mode=mode, granularity="document")
        assert titles(results) == ["On cars"]


def test_it_is_said_where_older_texts_were_not_compared(
    semantic, project, viewer, client_of, monkeypatch
):
    note(project, f"{CARS}\n\n{BOOKS}")
    embed_missing()
    count = len(embeddings())

    for compared, is_complete in ((count, True), (count - 1, False)):
        monkeypatch.setattr(search, "COMPARED", compared)
        assert asked(client_of(viewer), q="car", mode="semantic")["is_complete"] is is_complete


def test_each_text_is_embedded_once(semantic, project):
    note(project, CARS)
    first = embed_missing()
    sent = len(semantic.requests)

    assert first == Body.objects.filter(project=project).count() == len(embeddings())
    assert embed_missing() == embed_missing(is_whole=True) == 0
    assert len(semantic.requests) == sent

    note(project, CARS, title="The same again")
    added = embed_missing()

    assert added == Body.objects.filter(project=project).count() - first


def test_another_model_embeds_anew_and_mixes_with_none(
    semantic, project, viewer, client_of, settings
):
    note(project, CARS)
    embed_missing()
    settings.EMBEDDING_MODEL = "openai:larger"
    semantic.embedding = lambda text: [1.0, 0.0, 0.0, 0.0]

    assert titles(asked(client_of(viewer), q="car", mode="semantic")) == []
    assert embed_missing(is_whole=True) == len(embeddings())
    assert {model for _, model in embeddings()} == {"openai:larger"}
    assert "Cars" in titles(asked(client_of(viewer), q="car", mode="semantic"))


def test_a_model_that_changed_its_length_finds_nothing_and_breaks_nothing(
    semantic, project, viewer, client_of
):
    note(project, CARS)
    embed_missing()
    semantic.embedding = lambda text: [1.0, 0.0]

    assert titles(asked(client_of(viewer), q="car", mode="semantic")) == []


def test_embeddings_are_erased_with_the_project(semantic, project, owner):
    note(project, CARS)
    embed_missing()
    assert embeddings()

    cancel_project(project_id=project.pk, actor=Actor.of_user(owner), reason="Enough.")
    erase_project(project_id=project.pk, actor=Actor.of_user(owner), reason="They asked.")

    assert embeddings() == []


def test_what_was_embedded_before_a_failure_is_kept(semantic, project, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH", 1)
    note(project, f"{CARS}\n\n{BOOKS}")
    semantic.then(lambda server, request: server.valid(request), refusal(500))

    with pytest.raises(WorkError):
        embed_missing()

    assert len(embeddings()) == 1
    assert embed_missing() == Body.objects.filter(project=project).count() - 1


@pytest.mark.parametrize(
    "answer",
    [
        refusal(429),
        refusal(401),
        refusal(500),
        raw(b"[]"),
        raw(b"no json"),
        raw(b'{"object": "list", "data": [], "model": "m", "usage": {}}'),
        hang(),
    ],
    ids=["busy", "key", "fault", "list", "text", "none", "silent"],
)
def test_a_model_that_fails_is_503_and_words_still_work(
    semantic, project, viewer, client_of, monkeypatch, answer
):
    monkeypatch.setattr(search, "SECONDS", 2)
    note(project, CARS)
    embed_missing()
    client = client_of(viewer)
    semantic.then(answer)

    response = client.get(SEARCH, {"q": "car", "mode": "semantic"})

    assert response.status_code == 503
    assert response.json()["code"] == "embedding_unavailable"
    assert "key-of-embeddings" not in response.content.decode()
    assert "Cars" in titles(asked(client, q="car"))


def test_no_log_tells_of_the_calls(semantic, caplog):
    caplog.set_level(logging.DEBUG)

    embed(["What only the model may read."], kind="query", seconds=5)
    semantic.then(refusal(500, message="key-of-embeddings"))
    with pytest.raises(WorkError):
        embed(["What only the model may read."], kind="query", seconds=5)

    assert len(semantic.requests) == 2
    assert {record.name for record in caplog.records} <= {"asyncio"}


def test_nothing_is_embedded_while_everything_is_stopped(semantic, project, staff):
    note(project, CARS)
    activate_emergency_stop(actor=Actor.of_user(staff), reason="Halt.")
    assert embed_missing() == 0
    release_emergency_stop(actor=Actor.of_user(staff), reason="Go on.")

    assert embed_missing() > 0


def test_the_texts_of_a_stopped_project_wait_for_its_release(semantic, make_project, owner):
    first, other = make_project(), make_project()
    note(first, CARS)
    note(other, CARS)
    actor = Actor.of_user(owner)
    activate_emergency_stop(actor=actor, reason="Halt.", project_id=first.pk)
    free = embed_missing()
    assert embed_missing(is_whole=True) == 0
    release_emergency_stop(actor=actor, reason="Go on.", project_id=first.pk)

    assert embed_missing() == free > 0


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
def test_no_search_asks_a_model_while_everything_is_stopped(
    semantic, project, viewer, staff, client_of, mode
):
    note(project, CARS)
    embed_missing()
    asked_before = len(semantic.requests)
    activate_emergency_stop(actor=Actor.of_user(staff), reason="Halt.")

    response = client_of(viewer).get(SEARCH, {"q": "car", "mode": mode})

    assert (response.status_code, response.json()["code"]) == (503, "emergency_stop")
    assert len(semantic.requests) == asked_before
    assert "Cars" in titles(asked(client_of(viewer), q="car"))


@pytest.mark.parametrize("mode", ["semantic", "hybrid"])
def test_where_it_is_off_the_mode_is_refused_by_name(viewer, client_of, mode):
    response = client_of(viewer).get(SEARCH, {"q": "car", "mode": mode})

    assert response.status_code == 400
    assert [error["field"] for error in response.json()["errors"]] == ["mode"]
