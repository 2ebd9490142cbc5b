from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from audit.actors import Actor
from context.models import Artifact
from context.services import add_version
from core.errors import Conflict
from tests.context.documents import hand_in

WRITERS = 50


def write(artifact_id, owner, text, **fields):
    try:
        return add_version(
            actor=Actor.of_user(owner),
            artifact_id=artifact_id,
            content={"text": text},
            **fields,
        ).number
    except Conflict as error:
        return error
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_fifty_writers_at_once_leave_no_gap_and_lose_nothing(project, owner):
    artifact = hand_in(project)
    texts = [f"Text {number}." for number in range(WRITERS)]

    with ThreadPoolExecutor(10) as pool:
        numbers = list(pool.map(lambda text: write(artifact.pk, owner, text), texts, timeout=120))

    assert sorted(numbers) == list(range(2, WRITERS + 2))
    stored = {v.number: v.content["text"] for v in artifact.versions.all()}
    assert stored == {1: "Two weeks."} | dict(zip(numbers, texts, strict=True))
    artifact.refresh_from_db()
    assert artifact.accepted_version == artifact.version == WRITERS + 1
    assert artifact.versions.filter(status="accepted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_writers_on_the_same_base_one_wins_and_the_others_learn_of_both(project, owner):
    artifact = hand_in(project)

    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(
                lambda number: write(artifact.pk, owner, f"Text {number}.", base_version=1),
                range(10),
                timeout=120,
            )
        )

    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert sorted(answer for answer in answers if not isinstance(answer, Conflict)) == [2]
    assert len(refused) == 9
    for conflict in refused:
        fields = (conflict.code, conflict.extra["version"], conflict.extra["base_version"])
        assert fields == ("stale_version", 2, 1)
    assert Artifact.objects.get(pk=artifact.pk).version == 2
