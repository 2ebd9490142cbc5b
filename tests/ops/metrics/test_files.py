"""Counters in files that a full disk cannot turn into a death by SIGBUS."""

import os

import pytest
from prometheus_client.mmap_dict import MmapedDict

from ops.metrics import files
from ops.metrics.files import WrittenDict


def read(path):
    return {key: value for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path))}


def test_others_read_what_was_counted_also_past_the_first_pages(tmp_path):
    path = tmp_path / "counter_1.db"
    counts = WrittenDict(str(path))
    for number in range(2000):
        counts.read_value(f"a longer name of a counter {number}")
        counts.write_value(f"a longer name of a counter {number}", number, 0.0)

    assert read(path) == {f"a longer name of a counter {number}": number for number in range(2000)}
    assert WrittenDict(str(path)).read_value("a longer name of a counter 7") == (7.0, 0.0)


def test_what_could_not_be_written_is_written_when_there_is_room(tmp_path, monkeypatch):
    path = tmp_path / "counter_1.db"
    counts = WrittenDict(str(path))
    counts.write_value("first", 1, 0.0)

    def no_space(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(files.os, "pwrite", no_space)
        counts.write_value("first", 2, 0.0)
        counts.write_value("second", 5, 0.0)
        assert counts.read_value("second") == (5.0, 0.0)
    assert read(path) == {"first": 1}

    counts.write_value("third", 1, 0.0)
    assert read(path) == {"first": 2, "second": 5, "third": 1}


@pytest.mark.parametrize("failing", ["open", "pwrite"])
def test_a_file_that_cannot_be_begun_leaves_nothing_that_breaks_a_reader(
    tmp_path, monkeypatch, failing
):
    path = tmp_path / "counter_1.db"

    def no_space(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(files.os, failing, no_space)
        counts = WrittenDict(str(path))
        counts.write_value("first", 1, 0.0)
        assert not path.exists()
    counts.write_value("first", 2, 0.0)

    assert read(path) == {"first": 2}
    assert os.stat(path).st_mode & 0o777 == 0o600
