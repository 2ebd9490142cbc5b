"""Ask, wait, claim and report, step by step, with a real server."""

import asyncio
from dataclasses import dataclass
from typing import Literal

import pydantic
import pytest

import paraph


@dataclass
class Choice:
    size: Literal["S", "M"]
    gift: bool = False


class Inner(pydantic.BaseModel):
    name: str = pydantic.Field(pattern="^a")


class Model(pydantic.BaseModel):
    inner: Inner
    count: int


@pytest.mark.parametrize(
    ("kind", "content", "answer"),
    [
        (Choice, {"size": "M"}, Choice("M")),
        (Model, {"inner": {"name": "ab"}, "count": 2}, Model(inner=Inner(name="ab"), count=2)),
    ],
)
def test_an_answer_has_its_type(client, home, kind, content, answer):
    action = client.ask("choose", {"order": "1"}, response_schema=kind, allowed=["answer"])
    with pytest.raises(paraph.ApiError, match="content"):
        home.decide("answer", content={"size": 3})
    home.decide("answer", content=content)

    assert action.wait().answer == answer
    with pytest.raises(paraph.NotExecuted) as refused:
        raise action.refusal
    assert refused.value.answer == answer


def test_step_by_step(client, home):
    action = client.ask("refund", {"order": "1"}, key="k", why="Lost.", effect="refund:1")
    assert action.status == "pending"
    assert client.ask("refund", {"order": "1"}, key="k", effect="refund:1").is_replayed
    with pytest.raises(paraph.ApiError) as early:
        action.claim()
    with pytest.raises(paraph.StillPending):
        action.wait(timeout=1)
    home.decide()

    claim = action.wait().claim()
    assert claim.renew() is False
    claim.report("succeeded", result={"refund": "r"})

    assert (early.value.code, early.value.next_action) == ("not_approved", "retry")
    assert action.status == "succeeded"
    assert action.refresh().result == {"refund": "r"}


def test_the_same_asynchronously(home):
    async def go():
        async with paraph.AsyncClient(connection=home.connection()) as client:
            action = await client.ask("refund", {"order": "1"})
            await asyncio.to_thread(home.decide)
            claim = await (await action.wait()).claim()
            await claim.renew()
            await claim.report("failed", error="no money")
            return action.status

    assert asyncio.run(go()) == "failed"


def test_a_cancelled_question_is_over(client, home):
    action = client.ask("refund", {"order": "1"})
    assert action.cancel("no need").status == "cancelled"
    assert home.pending() == []


def test_a_restart_of_everything_while_it_waits(installation, client, home, meanwhile):
    action = client.ask("refund", {"order": "1"})

    def restart_and_approve():
        installation.stop()
        installation.start()
        home.decide()

    meanwhile(restart_and_approve)
    identity = action.id

    assert action.wait(timeout=100).is_approved
    assert action.id == identity
