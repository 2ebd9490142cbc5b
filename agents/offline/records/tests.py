"""Write the tests of a program that keeps records: each demand becomes something that can fail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from agents.offline.demands import Demand
from agents.offline.entities import EntityIdea, FieldIdea
from agents.offline.program import Test
from agents.offline.qualities import program_tests
from agents.offline.records.shape import Design, ends, shaped, stock_field

Lines = list[str]


def tests_for(requirement: str, demand: Demand, design: Design) -> list[Test]:
    """The tests that show that a demand is met."""
    maker = _MAKERS.get(demand.kind, _quality)
    made = maker(Sample(design), demand)
    return [Test(requirement, name, tuple(lines)) for name, lines in made.items() if lines]


class Sample:
    """Writes commands with values that the program accepts."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.entities = {entity.name: entity for entity in shaped(design)}
        self.stock_field = stock_field(design)

    def field(self, entity: str, name: str) -> FieldIdea:
        return next(field for field in self.entities[entity].fields if field.name == name)

    def naming(self, entity: str) -> str:
        return self.entities[entity].fields[0].name

    def value(self, entity: str, field: FieldIdea, number: int) -> str:
        """The value of a field in the sample record with this number, from 1."""
        low, high = ends(field.name, entity, self.design)
        if field.choices:
            return field.choices[(number - 1) % len(field.choices)]
        if field.type in ("integer", "decimal"):
            value = (low if low is not None else 10) + number
            return str(value if high is None else min(value, high))
        if field.type == "date":
            return f"2024-05-{number:02}"
        if field.type == "boolean":
            return "yes" if number % 2 else "no"
        return f"{field.name.replace('_', ' ')} {chr(64 + number)}"

    def options(
        self, entity: EntityIdea, number: int, over: dict[str, str], every: bool = False
    ) -> Lines:
        words = []
        for field in entity.fields:
            if field.required or every or field.unique or field.name in over:
                value = over.get(field.name, self.value(entity.name, field, number))
                words += [f"--{field.name.replace('_', '-')}", value]
        return words

    def add(
        self,
        entity: str,
        number: int = 1,
        *,
        every: bool = False,
        check: str = "works",
        over: dict[str, str] | None = None,
    ) -> str:
        words = [entity, "add", *self.options(self.entities[entity], number, over or {}, every)]
        return call(*words, check=check)


def call(*words: str, check: str = "works", today: str = "") -> str:
    """A line of a test that runs a command."""
    day = f", today={today!r}" if today else ""
    return f"self.{check}({', '.join(repr(str(word)) for word in words)}{day})"


def has(text: str, line: str) -> str:
    return f"self.assertIn({text!r}, {line})"


def lacks(text: str, line: str) -> str:
    return f"self.assertNotIn({text!r}, {line})"


def _add(s: Sample, d: Demand) -> dict[str, Lines]:
    first = s.value(d.entity, s.entities[d.entity].fields[0], 1)
    found = has(first, call(d.entity, "list"))
    return {f"a_{d.entity}_can_be_added": [s.add(d.entity, every=True), found]}


def _list(s: Sample, d: Demand) -> dict[str, Lines]:
    naming = s.entities[d.entity].fields[0]
    lines = [s.add(d.entity, n, every=True) for n in (1, 2)]
    lines += [has(s.value(d.entity, naming, n), call(d.entity, "list")) for n in (1, 2)]
    tests = {f"every_{d.entity}_is_listed": lines}
    for name in d.fields:
        tests[f"{d.entity}_list_is_sorted_by_{name}"] = _sorted(s, d.entity, name)
    return tests


def _sorted(s: Sample, entity: str, name: str) -> Lines:
    field = s.field(entity, name)
    lines = [s.add(entity, n, every=True) for n in (2, 1)]
    if s.value(entity, field, 1) == s.value(entity, field, 2):
        return []
    order = sorted((1, 2), key=lambda n: s.value(entity, field, n))
    naming = s.entities[entity].fields[0]
    lines.append(f"text = {call(entity, 'list', '--sort', name)}")
    a, b = (s.value(entity, naming, n) for n in order)
    return [*lines, f"self.assertLess(text.index({a!r}), text.index({b!r}))"]


def _find(s: Sample, d: Demand) -> dict[str, Lines]:
    naming = s.entities[d.entity].fields[0]
    tests = {}
    for name in d.fields or (naming.name,):
        field = s.field(d.entity, name)
        values = [s.value(d.entity, field, n) for n in (1, 2)]
        if values[0] in values[1] or values[1] in values[0]:
            continue
        first, second = (s.value(d.entity, naming, n) for n in (1, 2))
        lines = [s.add(d.entity, n, every=True) for n in (1, 2)]
        lines.append(f"text = {call(d.entity, 'find', '--' + name.replace('_', '-'), values[1])}")
        tests[f"a_{d.entity}_is_found_by_{name}"] = [
            *lines,
            has(second, "text"),
            lacks(first, "text"),
        ]
    second = s.value(d.entity, naming, 2)
    lines = [s.add(d.entity, n, every=True) for n in (1, 2)]
    text = call(d.entity, "find", second.upper())
    tests[f"a_{d.entity}_is_found_by_any_word"] = [
        *lines,
        f"text = {text}",
        has(second, "text"),
        lacks(s.value(d.entity, naming, 1), "text"),
    ]
    return tests


def _change(s: Sample, d: Demand) -> dict[str, Lines]:
    naming = s.entities[d.entity].fields[0]
    option = "--" + naming.name.replace("_", "-")
    lines = [s.add(d.entity), call(d.entity, "change", "1", option, s.value(d.entity, naming, 3))]
    lines += [f"text = {call(d.entity, 'list')}", has(s.value(d.entity, naming, 3), "text")]
    lines.append(lacks(s.value(d.entity, naming, 1), "text"))
    return {f"a_{d.entity}_can_be_changed": lines}


def _remove(s: Sample, d: Demand) -> dict[str, Lines]:
    naming = s.entities[d.entity].fields[0]
    lines = [s.add(d.entity, 1), s.add(d.entity, 2), call(d.entity, "remove", "1")]
    lines += [f"text = {call(d.entity, 'list')}", has(s.value(d.entity, naming, 2), "text")]
    lines.append(lacks(s.value(d.entity, naming, 1), "text"))
    return {f"a_{d.entity}_can_be_removed": lines}


def _fields(s: Sample, d: Demand) -> dict[str, Lines]:
    values = [s.value(d.entity, s.field(d.entity, name), 1) for name in d.fields]
    lines = [s.add(d.entity, every=True), f"text = {call(d.entity, 'show', '1')}"]
    lines += [has(f"{name}: {value}", "text") for name, value in zip(d.fields, values, strict=True)]
    return {f"a_{d.entity}_keeps_its_fields": lines}


def _required(s: Sample, d: Demand) -> dict[str, Lines]:
    tests = {}
    for name in d.fields:
        entity = s.entities[d.entity]
        others = EntityIdea(entity.name, tuple(f for f in entity.fields if f.name != name))
        without = call(d.entity, "add", *s.options(others, 1, {}), check="refused")
        tests[f"a_{d.entity}_needs_{name}"] = [
            without,
            s.add(d.entity, check="refused", over={name: " "}),
        ]
    return tests


def _unique(s: Sample, d: Demand) -> dict[str, Lines]:
    tests = {}
    for name in d.fields:
        value = s.value(d.entity, s.field(d.entity, name), 1)
        again = s.add(d.entity, 2, check="refused", over={name: value})
        tests[f"two_{d.entity}_records_cannot_share_{name}"] = (
            [
                s.add(d.entity, 1, over={name: value}),
                has("already", again),
                s.add(d.entity, 3, over={name: s.value(d.entity, s.field(d.entity, name), 3)}),
            ]
            if s.value(d.entity, s.field(d.entity, name), 3) != value
            else [s.add(d.entity, 1, over={name: value}), again]
        )
    return tests


def _choices(s: Sample, d: Demand) -> dict[str, Lines]:
    name = d.fields[0]
    lines = [s.add(d.entity, 1, over={name: value}) for value in s.field(d.entity, name).choices]
    if s.field(d.entity, name).unique or any(f.unique for f in s.entities[d.entity].fields):
        lines = lines[:1]
    refused = s.add(d.entity, 2, check="refused", over={name: "something else"})
    return {f"{name}_is_one_of_its_values": [*lines, has("one of", refused)]}


def _range(s: Sample, d: Demand) -> dict[str, Lines]:
    name = d.fields[0]
    lines = [s.add(d.entity, 1, over={name: str(d.number)})]
    lines.append(s.add(d.entity, 2, check="refused", over={name: str(d.number - 1)}))
    if d.upper is not None:
        lines.append(s.add(d.entity, 3, over={name: str(d.upper)}))
        lines.append(s.add(d.entity, 4, check="refused", over={name: str(d.upper + 1)}))
    return {f"{name}_stays_in_its_limits": lines}


def _most(s: Sample, d: Demand) -> dict[str, Lines]:
    if not d.number or d.number > 20:
        return {}
    lines = [s.add(d.entity, n) for n in range(1, d.number + 1)]
    return {
        f"there_are_at_most_{d.number}": [*lines, s.add(d.entity, d.number + 1, check="refused")]
    }


def _stage(s: Sample, items: int = 1, holders: int = 1) -> Lines:
    world = s.design.world
    lines = [s.add(world.item, n) for n in range(1, items + 1)]
    return lines + [s.add(world.holder, n) for n in range(1, holders + 1)]


def _days(s: Sample) -> int:
    from_rule = s.design.number("loan_days")
    return 28 if from_rule is None else from_rule


def _day(s: Sample, days: int) -> str:
    return (date(2024, 3, 1) + timedelta(days=days)).isoformat()


def _lend(s: Sample, d: Demand) -> dict[str, Lines]:
    item = s.value(s.design.world.item, s.entities[s.design.world.item].fields[0], 1)
    return {"it_can_be_lent": [*_stage(s), call("lend", 1, 1), has(item, call("loans"))]}


def _give_back(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [*_stage(s), call("lend", 1, 1), call("return", 1), has("No loans", call("loans"))]
    return {"it_can_come_back": [*lines, call("return", 1, check="refused"), call("lend", 1, 1)]}


def _loan_limit(s: Sample, d: Demand) -> dict[str, Lines]:
    limit = s.design.number("loan_limit")
    if not limit or limit > 20:
        return {}
    lines = _stage(s, items=limit + 1, holders=2) + [
        call("lend", n, 1) for n in range(1, limit + 1)
    ]
    lines += [call("lend", limit + 1, 1, check="refused"), call("lend", limit + 1, 2)]
    return {f"at_most_{limit}_at_a_time": lines}


def _loan_days(s: Sample, d: Demand) -> dict[str, Lines]:
    days = _days(s)
    text = call("lend", 1, 1, today="2024-03-01")
    return {f"it_is_due_after_{days}_days": [*_stage(s), has(_day(s, days), text)]}


def _overdue(s: Sample, d: Demand) -> dict[str, Lines]:
    item = s.value(s.design.world.item, s.entities[s.design.world.item].fields[0], 1)
    days = _days(s)
    lines = [*_stage(s), call("lend", 1, 1, today="2024-03-01")]
    lines.append(has("Nothing", call("overdue", today=_day(s, days))))
    lines.append(has(item, call("overdue", today=_day(s, days + 1))))
    lines.append(call("return", 1, today=_day(s, days + 1)))
    return {
        "what_is_late_is_listed": [*lines, has("Nothing", call("overdue", today=_day(s, days + 1)))]
    }


def _blocked(s: Sample, d: Demand) -> dict[str, Lines]:
    late = _day(s, _days(s) + 1)
    lines = [*_stage(s, items=2), call("lend", 1, 1, today="2024-03-01")]
    lines.append(has("overdue", call("lend", 2, 1, check="refused", today=late)))
    lines += [call("return", 1, today=late), call("lend", 2, 1, today=late)]
    return {"nothing_more_while_something_is_overdue": lines}


def _fee(s: Sample, d: Demand) -> dict[str, Lines]:
    cents = (s.design.number("fee") or 0) * 3
    late = call("return", 1, today=_day(s, _days(s) + 3))
    in_time = call("return", 1, today=_day(s, _days(s)))
    start = [*_stage(s), call("lend", 1, 1, today="2024-03-01")]
    return {
        "three_days_late_cost_three_times": [*start, has(f"{cents // 100}.{cents % 100:02}", late)],
        "in_time_costs_nothing": [*start, lacks("Fee", in_time)],
    }


def _not_twice(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [*_stage(s, holders=2), call("lend", 1, 1)]
    return {
        "it_cannot_be_lent_twice": [*lines, has("already", call("lend", 1, 2, check="refused"))]
    }


def _loans(s: Sample, d: Demand) -> dict[str, Lines]:
    world = s.design.world
    names = [s.value(world.item, s.entities[world.item].fields[0], n) for n in (1, 2)]
    lines = [*_stage(s, items=2, holders=2), call("lend", 1, 1), call("lend", 2, 2)]
    lines += [
        f"text = {call('loans', '--holder', 2)}",
        has(names[1], "text"),
        lacks(names[0], "text"),
    ]
    lines += [call("return", 2), has("No loans", call("loans", "--holder", 2))]
    return {"one_sees_who_has_what": [*lines, has(names[1], call("loans", "--all"))]}


def _guard(s: Sample, d: Demand) -> dict[str, Lines]:
    name = (
        d.entity
        if d.entity in (s.design.world.item, s.design.world.holder)
        else s.design.world.item
    )
    lines = [*_stage(s), call("lend", 1, 1), call(name, "remove", 1, check="refused")]
    return {
        f"a_{name}_stays_while_it_is_needed": [*lines, call("return", 1), call(name, "remove", 1)]
    }


def _book(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [s.add(d.entity), call("book", 1, "Ada", "2024-03-04", "09:00", "10:00")]
    lines.append(has("Ada", call("bookings", "--day", "2024-03-04")))
    lines.append(has("No bookings", call("bookings", "--day", "2024-03-05")))
    return {"it_can_be_booked": lines}


def _cancel(s: Sample, d: Demand) -> dict[str, Lines]:
    booking = call("book", 1, "Ada", "2024-03-04", "09:00", "10:00")
    lines = [s.add(d.entity), booking, call("cancel", 1), has("No bookings", call("bookings"))]
    return {"it_can_be_cancelled": [*lines, booking, call("cancel", 1, check="refused")]}


def _no_overlap(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [s.add(d.entity), call("book", 1, "Ada", "2024-03-04", "09:00", "10:00")]
    lines.append(call("book", 1, "Ben", "2024-03-04", "09:30", "10:30", check="refused"))
    return {
        "no_two_bookings_overlap": [*lines, call("book", 1, "Ben", "2024-03-04", "10:00", "10:30")]
    }


def _bookings(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [s.add(d.entity), call("book", 1, "Ada", "2024-03-04", "09:00", "10:00")]
    lines.append(call("book", 1, "Ben", "2024-03-03", "09:00", "10:00"))
    lines.append(f"text = {call('bookings')}")
    return {
        "bookings_are_listed_by_time": [
            *lines,
            "self.assertLess(text.index('Ben'), text.index('Ada'))",
        ]
    }


def _booking_limit(s: Sample, d: Demand) -> dict[str, Lines]:
    limit = s.design.number("booking_limit")
    if not limit or limit > 12:
        return {}
    days = [f"2024-03-{n:02}" for n in range(4, 5 + limit)]
    lines = [s.add(d.entity), *(call("book", 1, "Ada", day, "09:00", "10:00") for day in days[:-1])]
    return {
        f"at_most_{limit}_bookings": [
            *lines,
            call("book", 1, "Ada", days[-1], "09:00", "10:00", check="refused"),
        ]
    }


def _longest(s: Sample, d: Demand) -> dict[str, Lines]:
    minutes = s.design.number("longest")
    if not minutes or minutes > 14 * 60:
        return {}
    end, later = (f"{(480 + m) // 60:02}:{(480 + m) % 60:02}" for m in (minutes, minutes + 1))
    lines = [s.add(d.entity), call("book", 1, "Ada", "2024-03-04", "08:00", later, check="refused")]
    return {
        f"a_booking_lasts_{minutes}_minutes_at_most": [
            *lines,
            call("book", 1, "Ada", "2024-03-04", "08:00", end),
        ]
    }


def _with_stock(s: Sample, d: Demand, number: int, quantity: int) -> str:
    return s.add(d.entity, number, over={s.stock_field: str(quantity)})


def _receive(s: Sample, d: Demand) -> dict[str, Lines]:
    return {"stock_comes_in": [_with_stock(s, d, 1, 5), has("12 in stock", call("receive", 1, 7))]}


def _issue(s: Sample, d: Demand) -> dict[str, Lines]:
    return {"stock_goes_out": [_with_stock(s, d, 1, 5), has("2 in stock", call("issue", 1, 3))]}


def _not_negative(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [_with_stock(s, d, 1, 5), call("issue", 1, 6, check="refused"), call("issue", 1, 5)]
    return {"stock_never_falls_below_zero": lines}


def _low(s: Sample, d: Demand) -> dict[str, Lines]:
    low = s.design.number("low") or 1
    naming = s.entities[d.entity].fields[0]
    lines = [
        _with_stock(s, d, 1, max(low - 1, 0)),
        _with_stock(s, d, 2, low),
        f"text = {call('low')}",
    ]
    lines += [
        has(s.value(d.entity, naming, 1), "text"),
        lacks(s.value(d.entity, naming, 2), "text"),
    ]
    return {"what_runs_low_is_listed": lines}


def _tick(s: Sample, d: Demand) -> dict[str, Lines]:
    return {
        "it_can_be_ticked": [
            s.add(d.entity),
            call("tick", 1),
            has("  1  ", call("streaks") + " + '  '"),
        ]
    }


def _tick_once(s: Sample, d: Demand) -> dict[str, Lines]:
    lines = [s.add(d.entity), call("tick", 1), call("tick", 1, check="refused")]
    return {"it_is_ticked_once_a_day": [*lines, call("tick", 1, today="2024-03-02")]}


def _streaks(s: Sample, d: Demand) -> dict[str, Lines]:
    days = ("2024-02-25", "2024-02-28", "2024-02-29", "2024-03-01")
    lines = [s.add(d.entity), *(call("tick", 1, today=day) for day in days)]
    lines.append(f"last = {call('streaks', check='lines')}[-1].split()")
    return {"days_in_a_row_are_counted": [*lines, "self.assertEqual(last[-2:], ['3', '4'])"]}


def _done(s: Sample, d: Demand) -> dict[str, Lines]:
    naming = s.entities[d.entity].fields[0]
    lines = [s.add(d.entity, 1), s.add(d.entity, 2), call("done", 1), f"text = {call('open')}"]
    lines += [
        has(s.value(d.entity, naming, 2), "text"),
        lacks(s.value(d.entity, naming, 1), "text"),
    ]
    return {f"a_{d.entity}_can_be_done": [*lines, call("done", 1, check="refused")]}


def _deadline(s: Sample, d: Demand) -> dict[str, Lines]:
    naming = s.entities[d.entity].fields[0]
    dates = ("2024-02-29", "2024-03-01")
    lines = [s.add(d.entity, n, over={d.fields[0]: day}) for n, day in enumerate(dates, start=1)]
    lines += [f"text = {call('overdue')}", has(s.value(d.entity, naming, 1), "text")]
    return {"what_is_late_is_listed": [*lines, lacks(s.value(d.entity, naming, 2), "text")]}


def _report(s: Sample, d: Demand) -> dict[str, Lines]:
    own = [x for x in s.design.all("report") if x.entity == d.entity]
    last = sorted(own, key=lambda demand: bool(demand.fields) + bool(demand.text))[-1]
    lines = [s.add(d.entity, n, every=True) for n in (1, 2)]
    expected = ["2"]
    if last.text:
        field = s.field(d.entity, last.text)
        expected.append(str(sum(int(s.value(d.entity, field, n)) for n in (1, 2))))
    lines.append(f"rows = {call('report-' + d.entity, check='lines')}")
    lines.append(f"self.assertEqual(rows[-1].split(), {['together', *expected]!r})")
    if last.fields:
        value = s.value(d.entity, s.field(d.entity, last.fields[0]), 1)
        lines.append(has(value, "'\\n'.join(rows)"))
    return {f"{d.entity}_figures_are_right": lines}


def _export(s: Sample, d: Demand) -> dict[str, Lines]:
    first = s.value(d.entity, s.entities[d.entity].fields[0], 1)
    lines = [s.add(d.entity, every=True), "path = str(self.folder / 'out.csv')"]
    lines += [
        f"self.works('export-{d.entity}', path)",
        "with open(path, encoding='utf-8') as file:",
    ]
    return {f"{d.entity}_records_go_to_a_csv_file": [*lines, f"    {has(first, 'file.read()')}"]}


def _import(s: Sample, d: Demand) -> dict[str, Lines]:
    entity = s.entities[d.entity]
    names = [field.name for field in entity.fields]
    row = [s.value(d.entity, field, 1) for field in entity.fields]
    text = ",".join(names) + "\n" + ",".join(row) + "\n"
    lines = ["path = self.folder / 'in.csv'", f"path.write_text({text!r}, encoding='utf-8')"]
    lines += [f"self.works('import-{d.entity}', str(path))", has(row[0], call(d.entity, "list"))]
    return {f"{d.entity}_records_come_from_a_csv_file": lines}


def _persist(s: Sample, d: Demand) -> dict[str, Lines]:
    name = s.design.world.names[0]
    first = s.value(name, s.entities[name].fields[0], 1)
    lines = [s.add(name), "self.assertTrue((self.folder / 'data.json').exists())"]
    return {"records_are_still_there_in_the_next_run": [*lines, has(first, call(name, "list"))]}


def _quality(s: Sample, d: Demand) -> dict[str, Lines]:
    name = s.design.world.names[0]
    clear = [
        has("999", call(name, "show", "999", check="refused")),
        call(name, "add", "--nonsense", "x", check="refused"),
    ]
    return program_tests(d, names=(name,), clear=clear)


_MAKERS: dict[str, Callable[[Sample, Demand], dict[str, Lines]]] = {
    "add": _add,
    "list": _list,
    "find": _find,
    "change": _change,
    "remove": _remove,
    "fields": _fields,
    "required": _required,
    "unique": _unique,
    "choices": _choices,
    "range": _range,
    "most": _most,
    "lend": _lend,
    "give_back": _give_back,
    "loan_limit": _loan_limit,
    "loan_days": _loan_days,
    "overdue": _overdue,
    "blocked": _blocked,
    "fee": _fee,
    "not_twice": _not_twice,
    "loans": _loans,
    "guard": _guard,
    "book": _book,
    "cancel": _cancel,
    "no_overlap": _no_overlap,
    "bookings": _bookings,
    "booking_limit": _booking_limit,
    "longest": _longest,
    "receive": _receive,
    "issue": _issue,
    "not_negative": _not_negative,
    "low": _low,
    "tick": _tick,
    "tick_once": _tick_once,
    "streaks": _streaks,
    "done": _done,
    "open": _done,
    "deadline": _deadline,
    "report": _report,
    "export": _export,
    "import": _import,
    "persist": _persist,
}
