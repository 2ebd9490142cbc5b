import pytest

from ops.backup import BackupError, restore


def test_a_restore_is_refused_while_it_is_on_with_the_way_on(settings, tmp_path):
    settings.SEMANTIC_SEARCH = True
    dump = tmp_path / "a.dump"
    dump.touch()

    with pytest.raises(BackupError, match="SEMANTIC_SEARCH=false"):
        restore(dump)
