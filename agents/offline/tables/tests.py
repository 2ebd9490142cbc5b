"""Write the tests of a program that reads a table: small files, figures worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from agents.offline.demands import Demand
from agents.offline.program import Test
from agents.offline.qualities import program_tests

if TYPE_CHECKING:
    from agents.offline.tables.build import Design

Lines = list[str]
Row = dict[str, str]
_NUMBERS = ("10.00", "20.50", "5.25", "40.00")


def tests_for(requirement: str, demand: Demand, design: Design) -> list[Test]:
    """The tests that show that a demand is met."""
    made = _MAKERS.get(demand.kind, _quality)(Sample(design), demand)
    return [Test(requirement, name, tuple(lines)) for name, lines in made.items() if lines]


class Sample:
    """Small tables that the program accepts: four rows, two groups, three months."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.columns = design.columns

    def of(self, kind: str) -> list[str]:
        return [name for name, own in self.columns if own == kind]

    def row(self, n: int, over: Row | None = None) -> Row:
        """Row n of the sample, from 0."""
        over = over or {}
        return {name: over.get(name, self.value(name, kind, n)) for name, kind in self.columns}

    def value(self, name: str, kind: str, n: int) -> str:
        if kind == "number":
            return _NUMBERS[n % 4]
        if kind == "date":
            return f"2024-0{1 + n // 2}-1{n % 4}"
        return f"{name.replace('_', ' ')} {'ab'[n % 2]}"

    def rows(self, count: int = 4) -> list[Row]:
        return [self.row(n) for n in range(count)]

    def file(self, rows: Sequence[Row], separator: str = ",") -> Lines:
        """Lines of a test that write a table to a file."""
        names = [name for name, _ in self.columns]
        quoted = ([_cell(row[name], separator) for name in names] for row in rows)
        text = "\n".join(separator.join(cells) for cells in [names, *quoted]) + "\n"
        return ["path = self.folder / 'in.csv'", f"path.write_text({text!r}, encoding='utf-8')"]


def _cell(text: str, separator: str) -> str:
    return f'"{text}"' if separator in text else text


def run(command: str, *options: str) -> str:
    words = "".join(f", {option!r}" for option in options)
    return f"self.works({command!r}, str(path){words})"


def shows(count: int, line: str = "") -> str:
    return f"self.assertIn('{count} rows', {line or run('report')})"


def _columns(s: Sample, d: Demand) -> dict[str, Lines]:
    tests = {"a_table_with_these_columns_is_read": [*s.file(s.rows()), shows(4)]}
    names = [name for name, _ in s.columns]
    text = ",".join(names[:-1]) + "\n"
    lines = ["path = self.folder / 'in.csv'", f"path.write_text({text!r}, encoding='utf-8')"]
    refused = f"self.assertIn({names[-1]!r}, self.refused('report', str(path)))"
    return {**tests, "a_missing_column_is_named": [*lines, refused]}


def _read(s: Sample, d: Demand) -> dict[str, Lines]:
    missing = (
        "self.assertIn('nowhere.csv', self.refused('report', str(self.folder / 'nowhere.csv')))"
    )
    return {
        "a_file_is_read": [*s.file(s.rows(3)), shows(3)],
        "a_missing_file_is_explained": [missing],
    }


def _separator(s: Sample, d: Demand) -> dict[str, Lines]:
    return {
        "semicolons_separate_as_well": [*s.file(s.rows(), ";"), shows(4)],
        "commas_separate_as_well": [*s.file(s.rows(), ","), shows(4)],
    }


def _bad(s: Sample, d: Demand) -> dict[str, Lines]:
    checked = [name for name, kind in s.columns if kind != "text"]
    tests = {}
    for name in checked:
        for what, text in (("missing", ""), ("wrong", "rubbish")):
            lines = s.file([s.row(0), s.row(1, over={name: text}), s.row(2)])
            lines += [shows(2), f"self.assertIn({f'line 3: {name}'!r}, {run('check')})"]
            tests[f"a_{what}_{name}_is_reported_with_its_line"] = lines
    return tests


def _duplicates(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = s.file([s.row(0), s.row(1), s.row(0)])
    return {"the_same_row_counts_once": [*lines, f"text = {run('report')}", shows(2, "text"),
                                         "self.assertIn('1 duplicate', text)"]}  # fmt: skip


def _case(s: Sample, d: Demand) -> dict[str, Lines]:
    if not s.of("text"):
        return {}
    name = s.of("text")[0]
    lines = s.file([s.row(0, over={name: "Food"}), s.row(1, over={name: "FOOD"})])
    return {"upper_and_lower_case_are_the_same": [*lines, *_cleaned("food", "FOOD")]}


def _trim(s: Sample, d: Demand) -> dict[str, Lines]:
    if not s.of("text"):
        return {}
    name = s.of("text")[0]
    lines = s.file([s.row(0, over={name: "  some   thing  "})])
    return {"spaces_around_values_go": [*lines, *_cleaned("some thing", "  some")]}


def _cleaned(there: str, gone: str) -> Lines:
    return [
        "target = self.folder / 'out.csv'",
        run("clean").replace("str(path)", "str(path), str(target)"),
        "text = target.read_text(encoding='utf-8')",
        f"self.assertIn({there!r}, text)",
        f"self.assertNotIn({gone!r}, text)",
    ]


def _decimal(s: Sample, d: Demand) -> dict[str, Lines]:
    if not s.of("number"):
        return {}
    name = s.of("number")[0]
    lines = s.file([s.row(0, over={name: "1.234,50"}), s.row(1, over={name: "1234.25"})], ";")
    found = _cleaned("1234.50", "1.234,50")
    return {"a_decimal_comma_is_understood": [*lines, *found, "self.assertIn('1234.25', text)"]}


def _dates(s: Sample, d: Demand) -> dict[str, Lines]:
    if not s.of("date"):
        return {}
    name = s.of("date")[0]
    lines = s.file([s.row(0, over={name: "31.05.2024"}), s.row(1, over={name: "2024-06-01"})])
    found = _cleaned("2024-05-31", "31.05.2024")
    return {
        "dates_in_several_formats_become_one": [*lines, *found, "self.assertIn('2024-06-01', text)"]
    }


def _clean(s: Sample, d: Demand) -> dict[str, Lines]:
    bad = [name for name, kind in s.columns if kind != "text"]
    rows = [s.row(0), s.row(1, over={bad[0]: "rubbish"})] if bad else [s.row(0)]
    first = s.row(0)[s.columns[0][0]]
    return {"good_rows_go_to_a_new_file": [*s.file(rows), *_cleaned(first, "rubbish")]}


def _write(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [*s.file(s.rows()), "target = self.folder / 'report.txt'"]
    lines.append("text = self.works('report', str(path), '--output', str(target))")
    return {
        "the_report_goes_to_a_file": [
            *lines,
            "self.assertEqual(target.read_text(encoding='utf-8').strip(), text.strip())",
        ]
    }


def _section(s: Sample, d: Demand) -> dict[str, Lines]:
    figure, (column, by) = d.entity, d.fields
    rows = s.rows()
    if figure in ("largest", "smallest"):
        rows = rows[:2]
    groups: dict[str, list[Decimal]] = {}
    for row in rows:
        groups.setdefault(_group(s, by, row), []).append(
            Decimal(row[column]) if column else Decimal(1)
        )
    expected = [(name, _figure(figure, numbers)) for name, numbers in groups.items()]
    if d.text:
        expected.sort(key=lambda pair: -Decimal(pair[1]))
    else:
        expected.sort()
    title = f"{figure} {column}".strip() + (f" by {by}" if by else "")
    lines = [
        *s.file(rows),
        f"rows = {run('report').replace('works', 'lines')}",
        f"start = rows.index({title!r}) + 1",
    ]
    lines.append(
        f"found = [' '.join(row.split()) for row in rows[start : start + {len(expected)}]]"
    )
    said = [f"{name} {number}" for name, number in expected]
    return {
        f"{figure}_{column or 'rows'}{'_by_' + by if by else ''}": [
            *lines,
            f"self.assertEqual(found, {said!r})",
        ]
    }


def _group(s: Sample, by: str, row: Row) -> str:
    if by in ("month", "year"):
        return row[s.of("date")[0]][: 7 if by == "month" else 4]
    text = row[by] if by else "all"
    return text.lower() if s.design.has("case") and by else text


def _figure(figure: str, numbers: list[Decimal]) -> str:
    if figure == "count":
        return str(len(numbers))
    if figure in ("largest", "smallest"):
        return str(max(numbers) if figure == "largest" else min(numbers))
    result = sum(numbers, Decimal(0)) / (len(numbers) if figure == "average" else 1)
    return str(result.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _top(s: Sample, d: Demand) -> dict[str, Lines]:
    last = s.design.last("top")
    column, count = last.fields[0], last.number
    if count > 30:
        return {}
    rows = [s.row(n, over={column: f"{n + 1}.00", **_distinct(s, n)}) for n in range(count + 1)]
    lines = [*s.file(rows), f"rows = {run('report').replace('works', 'lines')}"]
    lines.append(f"start = rows.index({f'The {count} largest by {column}'!r}) + 1")
    lines.append(f"found = [row.split()[1] for row in rows[start : start + {count}]]")
    said = [f"{n + 2}:" for n in range(count, 0, -1)]
    return {f"the_{count}_largest_are_shown": [*lines, f"self.assertEqual(found, {said!r})"]}


def _distinct(s: Sample, n: int) -> Row:
    return {name: f"{name} {n}" for name in s.of("text")}


def _flag(s: Sample, d: Demand) -> dict[str, Lines]:
    last = s.design.last("flag")
    column, limit = last.fields[0], Decimal(last.text)
    rows = [
        s.row(0, over={column: str(limit)}),
        s.row(1, over={column: str(limit + Decimal("0.01"))}),
    ]
    lines = [*s.file(rows), f"rows = {run('report').replace('works', 'lines')}"]
    lines.append(f"start = rows.index({f'{column} above {limit}'!r}) + 1")
    lines.append("found = [row.split()[1] for row in rows[start:] if 'line' in row]")
    lines.append("self.assertEqual(found, ['3:'])")
    return {f"what_is_above_{last.text.replace('.', '_')}_is_shown": lines}


def _month(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [*s.file(s.rows()), shows(2, run("report", "--month", "2024-01"))]
    return {"one_month_is_chosen": [*lines, shows(0, run("report", "--month", "2023-12"))]}


def _period(s: Sample, d: Demand) -> dict[str, Lines]:
    days = [row[s.of("date")[0]] for row in s.rows()]
    chosen = run("report", "--from", days[1], "--to", days[2])
    return {
        "a_period_is_chosen": [
            *s.file(s.rows()),
            shows(2, chosen),
            shows(3, run("report", "--from", days[1])),
        ]
    }


def _only(s: Sample, d: Demand) -> dict[str, Lines]:
    name = d.fields[0]
    chosen = run("report", f"--{name.replace('_', '-')}", s.row(0)[name])
    return {f"one_{name}_is_chosen": [*s.file(s.rows(3)), shows(2, chosen)]}


def _quality(s: Sample, d: Demand) -> dict[str, Lines]:
    clear = [
        "self.assertIn('nowhere.csv', self.refused('report', str(self.folder / 'nowhere.csv')))"
    ]
    clear += ["path = self.folder / 'in.csv'", "path.write_text('nonsense', encoding='utf-8')"]
    clear.append("self.assertIn('column', self.refused('report', str(path)))")
    return program_tests(d, names=("report", "check"), clear=clear)


_MAKERS: dict[str, Callable[[Sample, Demand], dict[str, Lines]]] = {
    "columns": _columns,
    "read": _read,
    "separator": _separator,
    "bad": _bad,
    "duplicates": _duplicates,
    "case": _case,
    "trim": _trim,
    "decimal": _decimal,
    "dates": _dates,
    "clean": _clean,
    "write": _write,
    "section": _section,
    "top": _top,
    "flag": _flag,
    "month": _month,
    "period": _period,
    "only": _only,
}
