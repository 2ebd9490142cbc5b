import os
import shutil
import stat
from pathlib import Path

import pytest

from ops.devserver import DevServerError, runtime
from ops.devserver.data_dir import open_data_dir

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def home(tmp_path):
    """A private home, as a careful person has it."""
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def opened(home):
    """Opens a data folder; a second call lets go of the first."""
    folders = []

    def open_(name="data"):
        for folder in folders:
            folder.close()
        folders.append(open_data_dir(home / name, system_dir=home / "places"))
        return folders[-1]

    yield open_
    for folder in folders:
        folder.close()


def test_everything_made_is_private_and_the_folder_above_stays_as_it_was(home, opened):
    folder = opened()
    folder.server_dir("postgres")
    assert mode(home) == 0o700
    assert [mode(path) for path in (folder.path, folder.logs)] == [0o700, 0o700]
    assert mode(folder.server_dir("postgres")) == 0o700


def test_a_folder_that_was_there_keeps_its_mode(home, opened):
    (home / "data").mkdir(mode=0o755)
    opened()
    assert mode(home / "data") == 0o755


def test_a_secret_stays_the_same_and_private(home, opened):
    secret = opened().secret("secret_key")
    assert opened().secret("secret_key") == secret
    assert mode(home / "data" / "secrets.json") == 0o600


def test_a_second_holder_is_refused(home, opened):
    opened()
    with pytest.raises(DevServerError, match=r"running already on the data folder .*--data-dir"):
        open_data_dir(home / "data")


def test_a_released_folder_can_be_held_again(opened):
    opened().close()
    assert opened().path.is_dir()


def test_a_folder_with_other_things_in_it_is_refused(home):
    (home / "data").mkdir()
    (home / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(DevServerError, match="neither empty nor a data folder"):
        open_data_dir(home / "data")
    assert [path.name for path in (home / "data").iterdir()] == ["thesis.txt"]


def test_a_file_is_no_data_folder(home):
    (home / "data").write_text("")
    with pytest.raises(DevServerError, match="is not a folder"):
        open_data_dir(home / "data")


def test_a_parent_that_is_a_file_is_a_clear_message(home):
    (home / "file").write_text("")
    with pytest.raises(DevServerError, match="cannot be the data folder"):
        open_data_dir(home / "file" / "data")


def test_a_long_path_gets_a_short_socket_folder_that_stays(opened, monkeypatch):
    monkeypatch.setattr("ops.devserver.data_dir.SOCKET_DIR_LIMIT", 30)
    sockets = opened().socket_dir()
    assert len(str(sockets)) <= 30
    assert mode(sockets) == 0o700
    assert opened().socket_dir() == sockets
    shutil.rmtree(sockets)


@as_root
def test_as_root_the_servers_live_where_their_account_may_go(home, opened):
    folder = opened()
    place = folder.server_dir("postgres")
    assert place.parent.parent == home / "places"
    assert place.stat().st_uid == folder.account.uid != 0
    assert (home / "data" / "servers").readlink() == place.parent


@as_root
def test_a_moved_data_folder_keeps_its_database(home, opened):
    place = opened().server_dir("postgres")
    (home / "data").rename(home / "moved")
    assert opened("moved").server_dir("postgres") == place


@as_root
def test_a_copied_data_folder_does_not_share_its_database(home, opened):
    opened().server_dir("postgres")
    shutil.copytree(home / "data", home / "copy", symlinks=True)
    with pytest.raises(DevServerError, match="is a copy of"):
        opened("copy").server_dir("postgres")


@as_root
def test_a_lost_database_is_not_silently_replaced_by_an_empty_one(home, opened):
    place = opened().server_dir("postgres")
    shutil.rmtree(place.parent)
    with pytest.raises(DevServerError, match="which is gone"):
        opened().server_dir("postgres")


def test_the_runtime_file_fills_in_only_what_the_environment_lacks(home, monkeypatch):
    monkeypatch.setattr(runtime, "supplied", set())
    runtime.write_runtime(home, {"DATABASE_URL": "postgresql:///known", "REDIS_URL": "redis://r/0"})
    monkeypatch.setenv("REDIS_URL", "redis://mine/0")
    monkeypatch.delenv("DATABASE_URL")
    runtime.load_runtime_environment(home)
    assert os.environ["DATABASE_URL"] == "postgresql:///known"
    assert os.environ["REDIS_URL"] == "redis://mine/0"
    assert runtime.supplied == {"DATABASE_URL"}
    assert mode(runtime.runtime_path(home)) == 0o600


def test_without_a_runtime_file_only_the_command_line_makes_values_up(home, monkeypatch):
    monkeypatch.setattr(runtime, "supplied", set())
    monkeypatch.delenv("DATABASE_URL")
    runtime.load_runtime_environment(home)
    assert "DATABASE_URL" not in os.environ
    monkeypatch.setattr(runtime, "_is_command_line", True)
    runtime.load_runtime_environment(home)
    assert "nonexistent" in os.environ["DATABASE_URL"]


def test_a_held_folder_is_live_and_a_released_one_is_not(home, opened):
    folder = opened()
    assert runtime.is_live(home / "data")
    folder.close()
    assert not runtime.is_live(home / "data")


@pytest.mark.parametrize(
    ("given", "found"), [("", "http://127.0.0.1:8077"), ("http://elsewhere", "http://elsewhere")]
)
def test_commands_find_the_server_of_the_data_folder(tmp_path, monkeypatch, given, found):
    monkeypatch.setenv("PARAPH_URL", given)
    runtime.write_runtime(tmp_path, {"BASE_URL": "http://127.0.0.1:8077"})

    runtime.load_runtime_environment(tmp_path)

    assert os.environ["PARAPH_URL"] == found
