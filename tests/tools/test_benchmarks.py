"""What the benchmarks print, from measurements small enough to calculate by hand."""

from tools.benchmarks.peers.comparison import markdown, table
from tools.benchmarks.peers.systems import Measurement
from tools.benchmarks.statement_counter import added, normal

MEASURED = {
    "langgraph": [{1: Measurement(speed, [0.010, 0.010])} for speed in (90.0, 100.0, 170.0)],
    "ours": [
        {1: Measurement(speed, [0.004, 0.004], [0.002, 0.002])} for speed in (60.0, 50.0, 40.0)
    ],
}


def test_a_comparison_shows_the_median_of_its_rounds_and_what_ours_is_of_each_other():
    lines = markdown(table(MEASURED, [1]), [*MEASURED]).splitlines()

    assert lines[0] == "|  | langgraph | ours | ours/langgraph |"
    assert lines[2] == "| steps/s, 1 driver | 100.0 | 50.0 | 0.50 |"
    assert lines[3] == "| call to next start, 1 driver, p50, ms | 10.0 | 4.0 | 0.40 |"


def test_what_a_system_cannot_tell_is_left_empty_and_has_no_ratio():
    lines = markdown(table(MEASURED, [1]), [*MEASURED]).splitlines()

    assert lines[5] == "| decision to next start, 1 driver, p50, ms |  | 2.0 |  |"


def test_without_ours_there_are_no_ratios():
    measured = {"langgraph": MEASURED["langgraph"]}

    lines = markdown(table(measured, [1]), ["langgraph"]).splitlines()

    assert lines[2] == "| steps/s, 1 driver | 100.0 |"


def test_statements_that_differ_in_their_number_of_rows_are_one():
    one = normal("INSERT INTO log (a, b)\n VALUES (%s, %s)")
    three = normal("INSERT INTO log (a, b) VALUES (%s, %s), (%s, %s), (%s, %s)")

    assert one == "INSERT INTO log (a, b) VALUES (%s, …)"
    assert three == "INSERT INTO log (a, b) VALUES (%s, …), …"


def test_savepoints_are_one_whatever_their_names():
    assert normal('RELEASE SAVEPOINT "s140_x1"') == normal('RELEASE SAVEPOINT "s140_x2"')


def test_only_what_came_between_two_readings_is_counted():
    before = {"COMMIT": [10, 1.0], "BEGIN": [3, 0.5]}
    after = {"COMMIT": [14, 3.0], "BEGIN": [3, 0.5], "SELECT 1": [2, 0.25]}

    assert added(before, after) == {"COMMIT": [4, 2.0], "SELECT 1": [2, 0.25]}
