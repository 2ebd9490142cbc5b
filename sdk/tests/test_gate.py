"""`@paraph.gate` with a real server."""

import asyncio
import dataclasses
import threading
import time

import pytest

import paraph


@dataclasses.dataclass
class Money:
    amount: float
    currency: str


def gated(client, function=None, **options):
    calls = []

    def refund(order: str, amount: float, note: str = "") -> str:
        calls.append((order, amount, note))
        return function() if function else f"r-{order}"

    options = {"effect": "refund:{order}", "client": client} | options
    return paraph.gate(**options)(refund), calls


def test_a_call_is_asked_and_runs_once_with_what_was_approved(client, home, meanwhile):
    refund, calls = gated(client)
    meanwhile(home.decide)

    assert refund("1", amount=12.5) == "r-1"

    action = home.actions()[0]
    assert (action["status"], action["result"]) == ("succeeded", "r-1")
    assert action["arguments"] == {"order": "1", "amount": 12.5, "note": ""}
    assert action["effect"] == "refund:1"
    assert refund("1", 12.5) == "r-1", "the same effect is not had twice"
    assert calls == [("1", 12.5, "")]


def test_an_async_function_asks_too(home, meanwhile):
    async def go() -> tuple[str, str | None]:
        async with paraph.AsyncClient(connection=home.connection()) as client:

            @paraph.gate(effect="refund:{order}", client=client)
            async def refund(order: str, money: Money) -> str:
                await asyncio.sleep(0)
                assert isinstance(money, Money)
                return f"{order} {money.amount} {paraph.current_claim().grant.count('.')}"

            done = await refund("1", Money(2.0, "EUR"))
            return done, paraph.current_claim()

    meanwhile(home.decide)

    assert asyncio.run(go()) == ("1 2.0 2", None)


def test_a_no_is_not_executed(client, home, meanwhile):
    refund, calls = gated(client)
    meanwhile(home.decide, "reject", comment="Ask the shop.")

    with pytest.raises(paraph.NotExecuted) as refused:
        refund("1", 12.5)
    with pytest.raises(paraph.NotExecuted):
        refund("1", 12.5)

    assert (refused.value.reason, refused.value.comment) == ("denied", "Ask the shop.")
    assert calls == []
    assert len(home.actions()) == 1


def test_a_persons_arguments_are_those_that_run(client, home, meanwhile):
    refund, calls = gated(client)
    meanwhile(home.amend, {"order": "1", "amount": 10, "note": "less"})

    refund("1", 12.5)

    assert calls == [("1", 10.0, "less")]
    assert isinstance(calls[0][1], float)


def test_a_person_cannot_change_the_effect(client, home, meanwhile):
    refund, _ = gated(client, timeout=1)
    with pytest.raises(paraph.StillPending):
        refund("1", 12.5)

    with pytest.raises(paraph.ApiError) as refused:
        home.decide("amend", content={"order": "2", "amount": 1, "note": ""})

    assert refused.value.errors[0]["field"] == "content.order"


def test_what_waits_is_taken_up_again_after_a_restart(client, home):
    refund, calls = gated(client, timeout=1)
    with pytest.raises(paraph.StillPending):
        refund("1", 12.5)
    home.decide()
    with paraph.Client(connection=home.connection()) as other:
        again, more_calls = gated(other)
        assert again("1", 12.5) == "r-1"
    assert (calls, len(more_calls), len(home.actions())) == ([], 1, 1)


def test_an_exception_leaves_the_outcome_to_a_person(client, home, meanwhile):
    def fail():
        raise TimeoutError("no answer of the bank")

    refund, calls = gated(client, fail)
    meanwhile(home.decide)
    with pytest.raises(TimeoutError):
        refund("1", 12.5)

    assert home.status() == "unknown"
    with pytest.raises(paraph.OutcomeUnknown):
        refund("1", 12.5)
    home.decide("answer", content="succeeded")
    assert refund("1", 12.5) is None
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(paraph.NotExecuted("closed"), "not_executed"), (paraph.ActionFailed("no money"), "failed")],
)
def test_a_function_says_what_it_knows(client, home, meanwhile, error, status):
    def fail():
        raise error

    refund, calls = gated(client, fail)
    meanwhile(home.decide)
    with pytest.raises(type(error)):
        refund("1", 12.5)
    assert home.status() == status

    again, more = gated(client)
    meanwhile(home.decide)
    assert again("1", 12.5) == "r-1", "asked anew"
    assert (len(calls), len(more), len(home.actions())) == (1, 1, 2)


def test_a_hook_finds_out_what_became_of_it(client, home, meanwhile):
    def fail():
        raise TimeoutError

    def look_up(order, amount, note):
        return paraph.Outcome.succeeded(f"found {order}")

    refund, calls = gated(client, fail, reconcile=look_up)
    meanwhile(home.decide)

    assert refund("1", 12.5) == "found 1"
    assert home.status() == "succeeded"
    assert len(calls) == 1


def test_a_hook_finds_out_what_a_killed_run_did(client, home):
    refund, _ = gated(client, timeout=1)
    with pytest.raises(paraph.StillPending):
        refund("1", 12.5)
    home.decide()
    action = client.action(home.actions()[0]["id"])
    action.claim()  # and is killed

    def look_up(**arguments):
        return paraph.Outcome.succeeded("found")

    resumed, calls = gated(client, reconcile=look_up)
    assert resumed("1", 12.5) == "found"
    assert (calls, home.status()) == ([], "succeeded")


def test_another_call_with_the_same_effect_is_named(client, home, meanwhile):
    refund, _ = gated(client)
    meanwhile(home.decide)
    refund("1", 12.5)

    with pytest.raises(paraph.EffectExists) as refused:
        refund("1", 99.0)

    assert refused.value.status == "succeeded"
    assert refused.value.action == home.actions()[0]["id"]


def test_a_long_run_keeps_its_lease(client, home, meanwhile):
    refund, _ = gated(client, lambda: time.sleep(5))
    meanwhile(home.decide)
    refund("1", 12.5)
    assert home.status() == "succeeded"


def test_a_list_that_changes_meanwhile_does_not_reach_the_call(client, home):
    @paraph.gate(effect="delete:{folder}", client=client)
    def delete(folder: str, names: list[str]) -> list[str]:
        return names

    names = ["a"]

    def change_and_approve():
        home.pending()
        names.append("b")
        home.decide()

    thread = threading.Thread(target=change_and_approve)
    call = [None]
    waiting = threading.Thread(target=lambda: call.__setitem__(0, delete("f", names)))
    waiting.start()
    while not home.pending():
        time.sleep(0.05)
    thread.start()
    waiting.join(30)
    thread.join(30)

    assert call == [["a"]]


def test_a_precondition_that_changes_refuses_the_claim(client, home, meanwhile):
    etags = iter(["1", "2"])
    refund, calls = gated(client, precondition=lambda **arguments: next(etags))
    meanwhile(home.decide)
    with pytest.raises(paraph.NotExecuted) as refused:
        refund("1", 12.5)
    assert (refused.value.reason, calls) == ("precondition_changed", [])


def test_without_an_effect_each_call_is_asked(client, home, meanwhile):
    note, calls = gated(client, effect="")
    for _ in range(2):
        meanwhile(home.decide)
        note("1", 1.0)
    assert len(calls) == len(home.actions()) == 2


def test_what_cannot_be_shown_is_not_asked(client, home):
    refund, _ = gated(client)
    for value in (object(), float("nan"), 2**60, 1e16):
        with pytest.raises(TypeError, match="exclude"):
            refund("1", value)
    assert home.actions() == []
