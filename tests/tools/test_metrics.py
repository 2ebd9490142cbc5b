"""The script that measures the code, on a tree small enough to count by hand."""

import subprocess
import sys

import pytest

from ops.devserver.runtime import PROJECT_DIR

FILES = {
    "shop/__init__.py": "",
    "shop/models.py": '''
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shop import views


class Action(Enum):
    AMEND = "amend"


def total(prices):
    """What to pay."""
    return _sum(prices)


def _sum(prices):
    return _rounded(sum(prices)) + _rounded(0)


def _rounded(price):
    return round(price)
''',
    "shop/pricing.py": "def price():\n    from shop import selling\n\n    return selling\n",
    "shop/selling.py": "import shop.pricing\nfrom shop.models import Action\n\nA = Action.AMEND\n",
    "shop/views.py": "from . import models\n\nprint(models, 'to amend is to change')\n",
    "shop/routing.py": "urls = []\n",
    "shop/actions/amend.py": "class AmendAction:\n    pass\n",
    "shop/templates/form.html": "<button value='amend'>",
    "shop/templates/list.html": "<p>You may amend it</p>",
    "shop/workflow.yaml": "actions: [approve, amend]  # or not\n",
    "shop/other.yaml": "actions: [approve]  # amend comes later\n",
    # Not the product.
    "shop/migrations/0001_initial.py": "CHOICES = ['amend']\n",
    "tests/test_shop.py": "def test_amend():\n    assert 'amend'\n",
    "tools/long.py": "def _long():\n" + "    pass\n" * 50,
    ".venv/lib/other.py": "def _other():\n    pass\n",
    "environment/pyvenv.cfg": "home = /usr\n",
    "environment/lib.py": "def _lib():\n    pass\n",
}


@pytest.fixture(scope="module")
def figures(tmp_path_factory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("tree")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    table, _, _ = measures("--root", root).partition("\n\n")
    return dict(line.split("  ", 1) for line in table.splitlines())


def measures(*arguments) -> str:
    command = [sys.executable, "-I", PROJECT_DIR / "tools" / "metrics.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def figure(figures: dict[str, str], label: str) -> str:
    return figures[label].strip()


def test_it_counts_files_and_functions_of_the_product(figures):
    assert figure(figures, "files") == "6"
    assert figure(figures, "functions") == "4"
    assert figure(figures, "function length, median") == "2"
    assert figure(figures, "function length, longest") == "4"
    assert figure(figures, "functions with a docstring") == "1 (25 %)"
    assert figure(figures, "functions over 30 lines") == "0 (0 %)"


def test_it_counts_private_helpers_that_are_called_once(figures):
    assert figure(figures, "private functions") == "2 (50 %)"
    assert figure(figures, "- called once in the product") == "1 (25 %)"


def test_an_import_inside_a_function_closes_a_circle_and_one_for_types_does_not(figures):
    assert figure(figures, "import circles") == "1 (of 2)"


def test_it_counts_gerunds_but_for_those_that_everybody_knows(figures):
    assert figure(figures, "files named by a gerund") == "2"


def test_it_counts_the_files_that_name_a_member_of_a_kind(figures):
    # models, selling, amend, form.html, workflow.yaml
    assert figure(figures, "files naming the action amend") == "5"
    assert figure(figures, "files naming the role deployer") == "0"


def test_two_checkouts_stand_side_by_side(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "models.py").write_text("A = 1\n")

    roots = ("--root", tmp_path / "empty", "--root", tmp_path / "full")
    lines = measures(*roots).splitlines()

    assert [len(line) for line in lines[:3]] == [len(lines[1])] * 3
    assert lines[2].split() == ["files", "0", "1"]
