import re

import pytest

from tests.agents.offline_cases import EXAMPLES, content, pipeline, run, run_tests, write

BY_NAME = {path.stem: path.read_text(encoding="utf-8") for path in EXAMPLES}
MUTATIONS = {
    "library": ("len(held) >= self.limit", "len(held) > self.limit"),
    "expenses": ("total / len(numbers)", "total / (len(numbers) + 1)"),
    "parcel-prices": ("given > value", "given >= value"),
}


@pytest.fixture(scope="module", params=sorted(BY_NAME))
def made(request, tmp_path_factory):
    contents = pipeline(BY_NAME[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    write(contents["source_code"].content, folder)
    return request.param, contents, folder


def test_there_are_three_examples_of_different_kinds():
    kinds = {content("project_plan", brief=brief)["product_kind"] for brief in BY_NAME.values()}
    assert len(BY_NAME) == len(kinds) == 3


def test_the_program_explains_itself(made):
    _, _, folder = made
    result = run(folder, "main.py", "--help")
    assert result.returncode == 0, result.stderr


def test_its_tests_really_pass(made):
    _, contents, folder = made
    result = run_tests(folder)
    assert result.returncode == 0, result.stderr
    assert int(re.search(r"Ran (\d+)", result.stderr)[1]) >= len(
        contents["source_code"].content["covered"]
    )


def test_its_tests_can_fail(made, tmp_path):
    name, contents, _ = made
    before, after = MUTATIONS[name]
    write(contents["source_code"].content, tmp_path)
    changed = [p for p in tmp_path.rglob("*.py") if before in p.read_text(encoding="utf-8")]
    for path in changed:
        path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    assert changed
    assert run_tests(tmp_path).returncode != 0


def test_most_of_it_is_covered_and_the_rest_is_named_everywhere(made):
    _, contents, _ = made
    code = contents["source_code"].content
    asked = {r["id"] for r in contents["software_specification"].content["requirements"]}
    covered = {c["requirement"] for c in code["covered"]}
    missing = {n["requirement"] for n in code["not_covered"]}
    assert covered | missing == asked
    assert not covered & missing
    assert len(covered) * 10 >= len(asked) * 8
    assert missing, "each example asks for something beyond the rules"
    for artifact_type in ("software_specification", "system_architecture", "implementation_plan"):
        assert {n["requirement"] for n in contents[artifact_type].content["not_covered"]} == missing


def test_spans_quote_the_brief_exactly(made):
    name, contents, _ = made
    for requirement in contents["software_specification"].content["requirements"]:
        for span in requirement["spans"]:
            assert BY_NAME[name][span["start"] : span["end"]] == span["quote"]


def test_components_and_work_name_the_requirements_they_serve(made):
    _, contents, _ = made
    covered = {c["requirement"] for c in contents["source_code"].content["covered"]}
    parts = contents["system_architecture"].content["components"]
    served = {key for part in parts if part["name"] != "tests" for key in part["requirements"]}
    items = contents["implementation_plan"].content["items"]
    assert served == covered
    assert {name for item in items for name in item["components"]} == {p["name"] for p in parts}
    planned = {path for item in items for path in item["files"]}
    assert {f["path"] for f in contents["source_code"].content["files"]} - planned <= {
        path for path in (f["path"] for f in contents["source_code"].content["files"])
        if path.endswith("__init__.py")
    }  # fmt: skip


def test_the_same_brief_makes_the_same_program(made):
    name, contents, _ = made
    again = pipeline(BY_NAME[name])
    assert {k: v.content for k, v in again.items()} == {k: v.content for k, v in contents.items()}


def test_the_plan_of_the_run_describes_every_step(made):
    _, contents, _ = made
    body = contents["agent_output"].content["body"]
    for step in ("orchestrate", "specification", "build"):
        assert f"**{step}**" in body


def test_the_library_lends_and_refuses(tmp_path):
    write(pipeline(BY_NAME["library"])["source_code"].content, tmp_path)
    day = ("main.py", "--today", "2024-03-01")
    run(tmp_path, *day, "book", "add", "--title", "Dune", "--author", "Herbert")
    run(tmp_path, *day, "member", "add", "--name", "Ada")
    lent = run(tmp_path, *day, "lend", "1", "1")
    again = run(tmp_path, *day, "lend", "1", "1")
    late = run(tmp_path, "main.py", "--today", "2024-03-25", "return", "1")
    assert "2024-03-22" in lent.stdout
    assert again.returncode == 1
    assert "Fee: 0.30" in late.stdout


def test_the_parcel_price_is_the_one_of_the_tariff(tmp_path):
    write(pipeline(BY_NAME["parcel-prices"])["source_code"].content, tmp_path)
    words = ("calculate", "--weight", "3", "--distance", "5", "--express", "--member")
    result = run(tmp_path, "main.py", *words)
    assert result.stdout.splitlines()[-1].split() == ["17.01", "total"]
    assert (
        run(tmp_path, "main.py", "calculate", "--weight", "26", "--distance", "1").returncode == 1
    )


def test_the_expense_report_adds_up(tmp_path):
    write(pipeline(BY_NAME["expenses"])["source_code"].content, tmp_path)
    rows = "date;description;category;amount\n31.05.2024;Rent;home;1.000,50\n"
    rows += "2024-06-01;Tea;food;4,25\n"
    (tmp_path / "in.csv").write_text(rows + "2024-06-02;Jam;food;\n", encoding="utf-8")
    result = run(tmp_path, "main.py", "report", "in.csv")
    assert "home  1000.50" in result.stdout
    assert "line 4: amount: is missing" in result.stdout
