import re

import pytest

from audit.actors import Actor
from context.models import Artifact
from context.services import add_version
from tests.context.documents import hand_in
from tests.scenes import do, started, text
from tests.ui.web.conftest import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("staff_members")]

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def joined(make_project):
    project = make_project(oversight_level="low")
    hand_in(project)
    started(project)
    for step in ("left", "right"):
        do(project, step)
    do(project, "join", text("# Joined"))
    return project


def artifact(step):
    return Artifact.objects.get(step=step)


def page_of(step, rest="lineage/"):
    return f"/admin/context/artifact/{artifact(step).pk}/{rest}"


def edit_rules(owner):
    rules = Artifact.objects.get(artifact_type="user_input")
    add_version(actor=Actor.of_user(owner), artifact_id=rules.pk, content={"text": "Three."})


def test_the_lineage_is_drawn_and_told_as_a_list(joined, viewer):
    response = logged_in(viewer).get(page_of("join"))

    page = response.content.decode()
    drawing = response.context["drawing"]
    assert [(box.depth, box.version.artifact.step) for box in drawing.boxes] == [
        (-2, ""),
        (-1, "right"),
        (-1, "left"),
        (0, "join"),
    ]
    assert len(drawing.links) == page.count('<path class="used"') == 3
    assert page.count("<rect ") == 4
    assert f'href="{page_of("left")}?version=1"' in page
    assert "unsafe" not in response["Content-Security-Policy"]


def test_every_line_leads_to_the_right(joined, viewer):
    do(joined, "check", text("Yes.", verdict="pass"))

    drawing = logged_in(viewer).get(page_of("left")).context["drawing"]

    places = {box.version.artifact.step: box.x for box in drawing.boxes}
    assert places[""] < places["left"] < places["join"] < places["check"]
    ends = [re.findall(r"[MC ]([\d.]+) [\d.]+", link["path"]) for link in drawing.links]
    assert all(int(xs[0]) < int(xs[-1]) for xs in ends)
    assert len(ends) == len(drawing.links) > 2


def test_titles_of_agents_are_text_in_the_drawing(joined, viewer):
    Artifact.objects.update(title=EVIL)

    page = logged_in(viewer).get(page_of("join")).content.decode()

    assert EVIL not in page
    assert "&lt;script&gt;" in page


def test_a_stale_artifact_says_so_and_leads_to_the_rewind(joined, owner):
    edit_rules(owner)

    for rest in ("lineage/", "change/"):
        page = logged_in(owner).get(page_of("join", rest)).content.decode()
        assert "out of date" in page
        assert f"/admin/projects/project/{joined.pk}/change/?rewind=left#steer" in page


def test_the_project_page_marks_stale_steps(joined, owner):
    path = f"/admin/projects/project/{joined.pk}/change/"
    assert ">out of date<" not in logged_in(owner).get(path).content.decode()

    edit_rules(owner)

    assert logged_in(owner).get(path).content.decode().count(">out of date<") == 2


@pytest.mark.parametrize("query", ["?version=9", "?version=x"])
def test_a_version_that_is_not_there_has_no_lineage(joined, viewer, query):
    assert logged_in(viewer).get(page_of("join") + query).status_code == 404


def test_an_outsider_sees_no_lineage(joined, outsider):
    assert logged_in(outsider).get(page_of("join")).status_code == 404
