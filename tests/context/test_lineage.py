import pytest
from django.db import IntegrityError, connection

from agents.protocols import Assignment, Completed, Output
from agents.providers.demo import DemoModel
from agents.worker.run import run
from audit.actors import Actor
from context.artifact_types import artifact_types
from context.lineage import lineage_of
from context.models import Artifact, ArtifactVersion, Derivation
from context.services import Source, add_version, store_output
from hitl.models import Decision
from tests.context.documents import hand_in
from tests.scenes import CONTENT, USAGE, current, decide_as, do, request_at, running, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def unattended(make_project):
    return make_project(oversight_level="low")


@pytest.fixture
def joined(unattended):
    """left and right are done, and join, which used both."""
    hand_in(unattended)
    started(unattended)
    for step in ("left", "right", "join"):
        do(unattended, step)
    return unattended


def artifact(step):
    return Artifact.objects.get(step=step)


def lineage(api, step, **query):
    response = api.get(f"/api/v1/artifacts/{artifact(step).pk}/lineage/", query)
    assert response.status_code == 200, response.content
    return response.json()


def sources(document, step):
    """What the last version of the step was made from, by step; the brief has none."""
    steps = {entity["id"]: entity["step"] for entity in document["entities"]}
    derived = f"artifact:{artifact(step).pk}/versions/{artifact(step).version}"
    return {steps[d["source"]] for d in document["was_derived_from"] if d["derived"] == derived}


def test_a_version_names_what_it_was_made_from_and_by_whom(joined, viewer, client_of):
    document = lineage(client_of(viewer), "join")

    assert sources(document, "join") == {"left", "right"}
    assert sources(document, "left") == {""}
    task = current(joined, "join")
    by = next(a for a in document["activities"] if a["task"] == str(task.pk))
    assert (by["attempt"], by["agent"], by["provider"]) == (1, "agent:coder", "demo")
    assert by["id"] == document["entities"][0]["was_generated_by"]
    assert len(by["used"]) == 2


def test_lineage_goes_both_ways_or_one(joined, viewer, client_of):
    api = client_of(viewer)

    def steps(direction):
        return {
            e["step"]: e["depth"] for e in lineage(api, "left", direction=direction)["entities"]
        }

    assert steps("sources") == {"left": 0, "": -1}
    assert steps("results") == {"left": 0, "join": 1}
    assert steps("both") == {"left": 0, "": -1, "join": 1}


def test_lineage_stops_at_the_depth_and_says_so(joined, viewer, client_of):
    api = client_of(viewer)

    near = lineage(api, "join", depth=1)

    assert (near["is_complete"], {e["step"] for e in near["entities"]}) == (
        False,
        {"join", "left", "right"},
    )
    assert lineage(api, "join", depth=2)["is_complete"]


@pytest.mark.parametrize("query", ["depth=0", "depth=21", "direction=up", "version=x"])
def test_a_lineage_that_cannot_be_asked_for_is_400(joined, viewer, client_of, query):
    path = f"/api/v1/artifacts/{artifact('join').pk}/lineage/?{query}"

    response = client_of(viewer).get(path)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == query.split("=")[0]


def test_an_amendment_names_its_decision_and_the_version_it_replaces(project, approver, client_of):
    hand_in(project)
    started(project)
    do(project, "right")

    decide_as(
        approver, request_at(project, "right"), "amend", content=CONTENT | {"body": "By hand."}
    )

    document = lineage(client_of(approver), "right")
    [entity, before] = document["entities"]
    decision = Decision.objects.get()
    assert entity["was_generated_by"] == f"decision:{decision.pk}"
    assert entity["was_attributed_to"] == f"user:{approver.pk}"
    assert (before["version"], before["status"]) == (1, "draft")
    assert [d["kind"] for d in document["was_derived_from"]] == ["revised"]


def test_a_later_output_of_an_attempt_is_made_from_those_before_it(unattended):
    started(unattended)
    outputs = (
        Output("agent_output", "First", CONTENT),
        Output("hitl_response", "Second", {"questions": [], "answer": "x", "answered_by": ""}),
    )

    do(unattended, "right", Completed(outputs, USAGE))

    derivation = Derivation.objects.get(derived__artifact__artifact_type="hitl_response")
    assert derivation.source.artifact.artifact_type == "agent_output"


def test_what_a_person_writes_is_made_from_the_version_that_was_read(project, owner):
    artifact = hand_in(project)

    version = add_version(
        actor=Actor.of_user(owner),
        artifact_id=artifact.pk,
        content={"text": "Two."},
        base_version=1,
    )

    assert [(d.source.number, d.kind) for d in version.derivations.all()] == [(1, "revised")]


def test_the_prompt_of_a_real_attempt_is_known_by_its_hash(project):
    running(project)

    assert run(task_id=current(project, "orchestrate").pk, worker="test:1:1")

    version = ArtifactVersion.objects.get(artifact__step="orchestrate")
    assert len(version.prompt_sha256) == 64


def test_the_same_prompt_has_the_same_hash_and_another_one_another():
    def prompt_sha256(brief):
        assignment = Assignment("P", "analyst", "s", "", 1, "Plan.", brief, ("project_plan",))
        reply = DemoModel().produce(
            assignment,
            artifact_type="project_plan",
            output_type=artifact_types["project_plan"].schema,
            instructions="",
        )
        return reply.prompt_sha256

    brief = "Members borrow books. Librarians must be able to add books."
    assert prompt_sha256(brief) == prompt_sha256(brief)
    assert prompt_sha256(brief) != prompt_sha256(brief + " And lend them.")


def test_a_source_in_another_project_is_not_taken_for_one(joined, make_project):
    other = make_project(name="Other")

    _, version = store_output(
        project_id=other.pk,
        step="",
        agent_type="coder",
        task=current(joined, "join").pk,
        attempt=1,
        fence=1,
        artifact_type="agent_output",
        title="Other",
        content=CONTENT,
        provider="demo",
        model="rules",
        is_accepted=True,
        sources=[Source(artifact("left").pk, 1)],
    )

    assert not version.derivations.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE context_derivations SET kind = 'revised'",
        "UPDATE context_artifact_versions SET prompt_sha256 = 'x'",
        "INSERT INTO context_derivations (derived_id, source_id, kind) "
        "SELECT id, id, 'used' FROM context_artifact_versions",
    ],
)
def test_the_database_holds_to_an_origin_once_it_is_written(joined, statement):
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_lineage_takes_one_query_for_each_step_away(joined, django_assert_num_queries):
    version = artifact("join").versions.get()

    # One a step up and one more that finds nothing; then versions and derivations.
    with django_assert_num_queries(5):
        lineage_of(version, direction="sources")
