import pytest
from jsonschema import Draft202012Validator

from context.artifact_types import artifact_types
from context.parts import join_sections
from tests.context.documents import hand_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

TEXT = "Before.\n# Lending\n- FR-1 Lend\n- FR-2 Return\n# Fees\nNone.\n"
ARTIFACTS = "/api/v1/artifacts/"


@pytest.fixture
def rules(project):
    return hand_in(project, TEXT)


def path_of(artifact, rest):
    return f"{ARTIFACTS}{artifact.pk}/{rest}"


def test_the_sections_of_an_artifact_are_listed_with_their_text(rules, viewer, client_of):
    page = client_of(viewer).get(path_of(rules, "sections/")).json()

    sections = [(s["position"], s["path"], s["kind"], s["title"]) for s in page["results"]]
    assert sections == [
        (0, "outline", "outline", "Outline"),
        (1, "text", "markdown", "Text"),
        (2, "text/lending", "markdown", "Lending"),
        (3, "text/fees", "markdown", "Fees"),
    ]
    rows = [(s["pointer"], s["kind"], s["text"]) for s in page["results"]]
    assert join_sections(rows) == {"text": TEXT}
    assert all(len(s["sha256"]) == 64 for s in page["results"])


def test_sections_and_concepts_can_be_picked(rules, viewer, client_of):
    api = client_of(viewer)

    def found(rest, **query):
        return [row["title"] for row in api.get(path_of(rules, rest), query).json()["results"]]

    assert found("sections/", path="text/fees") == ["Fees"]
    assert found("sections/", kind="outline") == ["Outline"]
    assert found("concepts/") == ["FR-1 Lend", "FR-2 Return"]
    assert found("concepts/", identifier="FR-2") == ["FR-2 Return"]
    assert found("concepts/", kind="decision") == []


def test_parts_are_those_of_the_version_that_is_asked_for(rules, owner, client_of):
    api = client_of(owner)
    api.post(path_of(rules, "versions/"), {"content": {"text": "- FR-2 Return in time"}})

    def titles(**query):
        return [c["title"] for c in api.get(path_of(rules, "concepts/"), query).json()["results"]]

    assert titles() == ["FR-2 Return in time"]
    assert titles(version=1) == ["FR-1 Lend", "FR-2 Return"]
    assert api.get(path_of(rules, "concepts/"), {"version": 3}).status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sections/?kind=chapter", "kind"),
        ("concepts/?kind=chapter", "kind"),
        ("sections/?version=0", "version"),
    ],
)
def test_parts_that_cannot_be_are_400(rules, viewer, client_of, query, field):
    response = client_of(viewer).get(path_of(rules, query))

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("rest", ["sections/", "concepts/", "lineage/"])
def test_an_outsider_sees_no_part(rules, outsider, client_of, rest):
    assert client_of(outsider).get(path_of(rules, rest)).status_code == 404


def test_a_section_handed_in_as_such_is_not_split_and_is_found_by_its_granularity(
    project, owner, client_of
):
    api = client_of(owner)
    body = {
        "project": str(project.pk),
        "artifact_type": "user_input",
        "title": "On lending",
        "content": {"text": TEXT},
        "granularity": "section",
    }
    artifact = api.post(ARTIFACTS, body).json()

    sections = api.get(f"{ARTIFACTS}{artifact['id']}/sections/").json()["results"]
    rows = api.get(ARTIFACTS, {"granularity": "section"}).json()["results"]

    assert [s["text"] for s in sections[1:]] == [TEXT]
    assert [row["id"] for row in rows] == [artifact["id"]]


def test_every_artifact_type_is_described_by_a_schema(viewer, client_of):
    page = client_of(viewer).get("/api/v1/artifact-types/").json()

    assert {row["artifact_type"] for row in page["results"]} == set(artifact_types.values)
    for row in page["results"]:
        Draft202012Validator.check_schema(row["schema"])
        assert row["max_bytes"] == 2 * 1024 * 1024
        assert row["description"]


def test_a_schema_tells_valid_content_from_other(viewer, client_of):
    types = client_of(viewer).get("/api/v1/artifact-types/").json()["results"]
    [user_input] = [row for row in types if row["artifact_type"] == "user_input"]
    schema = Draft202012Validator(user_input["schema"])

    assert schema.is_valid({"text": "Words."})
    assert not schema.is_valid({"words": "Words."})
