import pytest
from django.db import connection
from django.db.utils import IntegrityError

from audit.actors import Actor
from context.models import ArtifactVersion, Body, Concept, Section
from context.services import add_version, create_artifact, split_old_versions
from context.services.storage import INLINE_MAX_BYTES, hash_of
from tests.context.documents import is_same

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


def document(chapters, edited=None):
    """A Markdown document of chapters of a few lines each."""
    texts = [f"# Chapter {n}\n" + f"Line of chapter {n}.\n" * 40 for n in range(chapters)]
    if edited is not None:
        texts[edited] += "One more line.\n"
    return {"text": "".join(texts)}


@pytest.fixture
def store(project, owner):
    def write(content, artifact_type="user_input"):
        artifact = create_artifact(
            actor=Actor.of_user(owner),
            project_id=project.pk,
            artifact_type=artifact_type,
            title="Rules",
            content=content,
        )
        return artifact.versions.get()

    return write


def test_every_version_is_stored_in_sections(store):
    version = store({"text": "Before.\n# Lending\nTwo weeks.\n"})

    assert [(s.position, s.path, s.body.text) for s in version.sections.select_related("body")] == [
        (0, "outline", '{\n"text": null\n}'),
        (1, "text", "Before.\n"),
        (2, "text/lending", "# Lending\nTwo weeks.\n"),
    ]


@pytest.mark.parametrize("chapters", [1, 200])
def test_content_is_read_as_it_was_written_small_or_large(store, chapters):
    content = document(chapters)

    version = ArtifactVersion.objects.get(pk=store(content).pk)

    assert is_same(version.content, content)
    assert (version.inline_content is None) == (chapters == 200)


def test_an_edit_of_a_large_document_stores_what_changed(store, owner, project):
    version = store(document(200))
    before = Body.objects.count()

    add_version(
        actor=Actor.of_user(owner),
        artifact_id=version.artifact_id,
        content=document(200, edited=70),
    )

    assert Body.objects.count() == before + 1
    newest = ArtifactVersion.objects.get(artifact=version.artifact_id, number=2)
    assert newest.inline_content is None
    assert is_same(newest.content, document(200, edited=70))


def test_texts_are_not_shared_between_projects(store, make_project, owner):
    store({"text": "The same."})

    create_artifact(
        actor=Actor.of_user(owner),
        project_id=make_project(name="Other").pk,
        artifact_type="user_input",
        title="x",
        content={"text": "The same."},
    )

    assert Body.objects.filter(sha256=hash_of("The same.")).count() == 2


def test_concepts_are_found_again_in_the_next_version_by_their_id(store, owner):
    version = store({"text": "- FR-1 Lend\n- FR-2 Return\n"})

    add_version(
        actor=Actor.of_user(owner),
        artifact_id=version.artifact_id,
        content={"text": "- FR-2 Return in time\n"},
    )

    history = Concept.objects.filter(version__artifact=version.artifact_id, identifier="FR-2")
    titles = list(history.order_by("version__number").values_list("title", flat=True))
    assert titles == ["FR-2 Return", "FR-2 Return in time"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE context_bodies SET text = 'other'",
        "UPDATE context_sections SET title = 'other'",
        "UPDATE context_concepts SET identifier = 'FR-9'",
    ],
)
def test_the_database_refuses_to_change_a_part(store, statement):
    store({"text": "- FR-1 Lend\n"})

    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_section_without_its_text_is_refused(store):
    store({"text": "Words."})

    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM context_bodies; SET CONSTRAINTS ALL IMMEDIATE")


def test_versions_of_before_are_split_once(store):
    version = store({"text": "- FR-1 Lend\n"})
    parts = list(version.sections.values_list("path", "body__sha256"))
    Section.objects.all().delete()
    Concept.objects.all().delete()

    assert (split_old_versions(), split_old_versions()) == (1, 0)

    assert list(version.sections.values_list("path", "body__sha256")) == parts
    assert version.concepts.get().identifier == "FR-1"


def test_a_large_content_is_larger_than_what_is_kept_whole():
    assert len(document(200)["text"]) > INLINE_MAX_BYTES
