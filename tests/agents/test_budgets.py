"""Money is held back before a call of a model and counted after it."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from pydantic import BaseModel
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.usage import RequestUsage

from agents.models import BudgetAccount, ModelCall
from agents.protocols import Assignment, PermanentError, TransientError, Usage
from agents.providers.event_loop import run_on_loop
from agents.providers.llm import LLMModel
from agents.providers.metered import Meter, Request
from agents.providers.options import ModelOptions
from agents.providers.prices import Rate, parse_price
from agents.services import fail_attempt, return_dead_reservations
from agents.services.budgets import add_spending, reserve, settle
from agents.worker.cancellation import Cancellation, as_current
from audit.actors import Actor
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.services import update_project
from tests.openai_server import OpenAIServer
from tests.scenes import claim, decide_as, first_task, fresh

pytestmark = pytest.mark.django_db

RATE = Rate("openai-chat", "test-model", is_listed=False)
PARAMETERS = ModelRequestParameters()
PROMPT = [ModelRequest.user_text_prompt("Plan.")]
ANSWER = ModelResponse(
    [TextPart("ok")],
    usage=RequestUsage(input_tokens=100, output_tokens=20, cache_read_tokens=40),
)


@pytest.fixture(autouse=True)
def _prices(settings):
    # One token, one micro-unit.
    settings.MODEL_PRICES = {"openai-chat:test-model": parse_price("1/1")}
    settings.MODEL_PRICE_UNKNOWN = parse_price("2/2")


@pytest.fixture
def claimed(project):
    return claim(first_task(project))


def limit(project, owner, **budgets):
    update_project(project_id=project.pk, actor=Actor.of_user(owner), **budgets)


def hold(claimed, micros):
    return reserve(claimed.task, provider="openai-chat", model="test-model", micros=micros)


def pay(reservation, charged, **changes):
    tokens = {"input_tokens": 1, "cached_tokens": 0, "output_tokens": 1}
    settle(reservation, charged=charged, **({"cost": charged} | tokens | changes))


def account(name):
    row = BudgetAccount.objects.get(name=name)
    return row.spent_micros, row.reserved_micros


def meter_of(claimed):
    meter = Meter("openai-chat", "test-model")
    meter.cancellation = SimpleNamespace(claim=claimed, check=lambda: None, is_requested=False)
    return meter


def requested(claimed, *, answer=None, error=None, rate=RATE):
    """One request, as the event loop has it done by threads."""
    meter = meter_of(claimed)
    request = Request(rate, meter, PROMPT)
    request.reserve({"max_tokens": 1000}, PARAMETERS)
    request.response, request.error = answer, error
    request.count()
    request.record()
    return meter, ModelCall.objects.get()


class Plan(BaseModel):
    title: str


def asked_model():
    """One call of a model over HTTP, to be awaited."""
    work = Assignment("Library", "analyst", "plan", "plan", 1, "Plan.", "A brief.", ())
    model = LLMModel("openai-chat:test-model", ModelOptions(1000))
    return model.produce(
        work, artifact_type="project_plan", output_type=Plan, instructions="You plan."
    )


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_calls_at_once_no_more_reach_the_provider_than_the_budget_has_room_for(
    project, owner, settings
):
    claimed = claim(first_task(project))
    answered = threading.Event()

    def wait(server, request):
        answered.wait(60)
        return server.valid(request)

    async def a_hundred():
        calls = [asyncio.create_task(asked_model()) for _ in range(100)]
        while sum(call.done() for call in calls) < 90:
            await asyncio.sleep(0.01)
        answered.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    cancellation = Cancellation(claimed, lambda claim: None)
    with OpenAIServer() as server, as_current(cancellation):
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-test", server.base_url
        run_on_loop(asked_model())
        first = ModelCall.objects.get()
        limit(project, owner, budget_micros=120 + 10 * first.reserved_micros)
        server.then(*[wait] * 100)

        results = run_on_loop(a_hundred())

        assert len(server.requests) == 1 + 10
    refused = [result for result in results if isinstance(result, TransientError)]
    assert {error.code for error in refused} == {"budget_exceeded"}
    assert len(refused) == 90
    assert account(f"project:{project.pk}") == (120 * 11, 0)
    assert ModelCall.objects.filter(state="settled").count() == 11


def test_each_budget_knows_what_is_spent_and_held_back(claimed, project):
    pay(hold(claimed, 500), 120)
    hold(claimed, 300)

    day = ModelCall.objects.first().day
    whose = (f"project:{project.pk}", f"project:{project.pk}:{day}")
    agent = f"project:{project.pk}:{claimed.task.agent_type}"
    for name in ("installation", f"installation:{day}", *whose, agent):
        assert account(name) == (120, 300)


@pytest.mark.parametrize("which", ["budget_micros", "budget_day_micros", "agent_budgets_micros"])
def test_what_does_not_fit_is_refused_and_says_who_can_raise_it(claimed, project, owner, which):
    value = {claimed.task.agent_type: 100} if which == "agent_budgets_micros" else 100
    limit(project, owner, **{which: value})
    pay(hold(claimed, 90), 90)

    with pytest.raises(PermanentError) as refused:
        hold(claimed, 20)

    assert refused.value.code == "budget_exceeded"
    assert "0.0001" in refused.value.detail
    assert "owner" in refused.value.detail


@pytest.mark.parametrize("which", ["BUDGET_MICROS", "BUDGET_DAY_MICROS"])
def test_the_installation_has_budgets_too(claimed, settings, which):
    setattr(settings, which, 100)

    with pytest.raises(PermanentError, match="budget_exceeded"):
        hold(claimed, 101)

    assert not ModelCall.objects.exists()


def test_what_fits_once_others_have_ended_is_tried_again(claimed, project, owner):
    limit(project, owner, budget_micros=100)
    other = hold(claimed, 60)

    with pytest.raises(TransientError, match="budget_exceeded"):
        hold(claimed, 60)

    pay(other, 10)
    hold(claimed, 60)


def test_a_budget_of_nothing_lets_nothing_through(claimed, project, owner):
    limit(project, owner, budget_micros=0)

    with pytest.raises(PermanentError, match="budget_exceeded"):
        hold(claimed, 1)


def test_at_the_soft_limit_a_person_is_asked_and_raises_it_by_trying_again(
    claimed, project, owner, approver
):
    limit(project, owner, budget_soft_micros=100, budget_micros=1000)
    with pytest.raises(PermanentError) as refused:
        hold(claimed, 150)
    fail_attempt(claim=claimed, error=refused.value)
    advance_project(project.pk)
    request = HitlRequest.objects.get(project=project, status="pending")

    decide_as(approver, request, "try_again", comment="")

    assert request.subject["error"]["code"] == "budget_soft_limit"
    assert "raises the soft limit to 0.0002" in request.subject["error"]["detail"]
    project.refresh_from_db()
    assert project.budget_soft_micros == 200
    hold(claim(fresh(claimed.task)), 150)


def test_a_soft_limit_above_the_budget_makes_no_sense(project, owner, client_of):
    path = f"/api/v1/projects/{project.pk}/"
    answer = client_of(owner).patch(path, {"budget_micros": 5, "budget_soft_micros": 6})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "budget_soft_micros"


def test_the_reservation_of_a_dead_attempt_comes_back_with_its_lease(claimed, project):
    reservation = hold(claimed, 300)
    assert return_dead_reservations() == 0

    fail_attempt(claim=claimed, error=TransientError("worker_lost", "It is gone."))

    assert return_dead_reservations() == 1
    assert account(f"project:{project.pk}") == (0, 0)
    # The worker lives after all, and says what it took: it counts, once.
    pay(reservation, 120)
    pay(reservation, 120)
    assert account(f"project:{project.pk}") == (120, 0)


def test_an_unknown_price_counts_as_configured_and_never_as_nothing(claimed):
    unknown = Rate("openai-chat", "other", is_listed=False)

    meter, call = requested(claimed, answer=ANSWER, rate=unknown)

    assert meter.usage().cost_micros is None
    assert (call.cost_micros, call.charged_micros) == (None, 240)
    assert (call.input_tokens, call.cached_tokens, call.output_tokens) == (100, 40, 20)


def test_an_answer_without_usage_counts_as_the_most_that_it_may_have_cost(claimed):
    _, call = requested(claimed, answer=ModelResponse([TextPart("ok")]))

    assert call.charged_micros == call.reserved_micros > 1000
    assert call.cost_micros is None


def test_a_request_that_the_provider_refuses_costs_nothing(claimed):
    _, call = requested(claimed, error=ModelHTTPError(402, "test-model"))

    assert (call.state, call.charged_micros, call.error_code) == (
        "settled",
        0,
        "model_rejected",
    )


def test_what_a_worker_elsewhere_reports_counts_against_the_budget(claimed, project):
    add_spending(claimed.task, Usage("external", cost_micros=70))
    add_spending(claimed.task, Usage("external", input_tokens=10, output_tokens=5))

    assert account(f"project:{project.pk}") == (100, 0)


def test_a_call_is_never_shorter_in_tokens_than_in_bytes():
    assert RATE.most(10_000, 1000) >= 11_000


def test_what_is_written_into_the_cache_costs_what_the_provider_takes_for_it():
    rate = Rate("anthropic", "claude-sonnet-4-5", "anthropic")

    assert rate.cost(1000, 0) == 3000
    assert rate.cost(1000, 0, 0, 1000) == rate.charge(1000, 0, written_tokens=1000) == 3750
    assert rate.most(500, 0) == 3750


def test_a_call_whose_prompt_went_into_the_cache_is_counted_so(claimed):
    usage = RequestUsage(input_tokens=1000, output_tokens=0, cache_write_tokens=1000)
    rate = Rate("anthropic", "claude-sonnet-4-5", "anthropic")

    _, call = requested(claimed, answer=ModelResponse([TextPart("ok")], usage=usage), rate=rate)

    assert (call.cost_micros, call.charged_micros) == (3750, 3750)


def test_usage_is_told_by_agent_model_and_day_to_members_alone(
    claimed, project, viewer, outsider, client_of
):
    pay(hold(claimed, 500), 120)
    hold(claimed, 300)
    path = f"/api/v1/projects/{project.pk}/usage/"

    usage = client_of(viewer).get(path).json()

    sums = {"calls": 1, "cost_micros": 120, "cost_unknown_calls": 0, "input_tokens": 1}
    assert sums.items() <= usage.items()
    assert (
        usage["by_agent"][0].items() >= {"agent_type": claimed.task.agent_type, "calls": 1}.items()
    )
    assert usage["by_model"][0]["model"] == "test-model"
    assert usage["by_day"][0]["cost_micros"] == 120
    assert usage["budget"] == {
        "limit_micros": None,
        "soft_limit_micros": None,
        "day_limit_micros": None,
        "spent_micros": 120,
        "reserved_micros": 300,
    }
    assert client_of(outsider).get(path).status_code == 404
    table = client_of(viewer).get(f"{path}csv/").content.decode().splitlines()
    assert table[0].startswith("day,agent_type,provider,model,calls,input_tokens")
    assert len(table) == 2


def test_the_page_shows_usage_to_members_and_lets_an_owner_set_budgets(
    claimed, project, owner, viewer, client
):
    User.objects.update(is_staff=True)
    pay(hold(claimed, 500), 120)
    path = f"/admin/projects/project/{project.pk}/usage/"
    client.force_login(owner)

    answer = client.post(path, {"budget_micros": "12.5", "agent.coder": "3"})

    assert (answer.status_code, answer.url) == (302, path)
    project.refresh_from_db()
    assert project.budget_micros == 12_500_000
    assert project.agent_budgets_micros == {"coder": 3_000_000}
    assert "of 12.50" in client.get(path).content.decode()
    client.force_login(viewer)
    assert client.get(path).status_code == 200
    assert client.post(path, {"budget_micros": "1"}).status_code == 403
