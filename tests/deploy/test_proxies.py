"""The proxies' files with the real proxies, where these are installed: two servers behind one."""

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ops.devserver.runtime import PROJECT_DIR
from projects.models import Project
from tests.live import SUBPROTOCOL, WebServer, eventually, hear_until, token_of, write

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = PROJECT_DIR / "deploy"
NGINX = """
pid {folder}/pid; error_log {folder}/error.log; daemon off; user {user}; events {{}}
http {{ access_log off; {paths} {ours} }}
"""
PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def nginx(folder, port, servers) -> list[str]:
    ours = (FOLDER / "nginx.conf").read_text().replace("listen 8080", f"listen 127.0.0.1:{port}")
    for number, server in enumerate(servers, start=1):
        ours = ours.replace(f"127.0.0.1:800{number}", f"127.0.0.1:{server.port}")
    paths = " ".join(f"{name}_temp_path {folder}/{name};" for name in PATHS)
    user = "root" if os.geteuid() == 0 else "nobody"
    (folder / "nginx.conf").write_text(
        NGINX.format(folder=folder, ours=ours, paths=paths, user=user)
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    subprocess.run([*command, "-t"], check=True, timeout=30)
    return command


def caddy(folder, port, servers) -> list[str]:
    """Addresses instead of the network's DNS; the rest is ours."""
    ours = (FOLDER / "Caddyfile.scale").read_text()
    start, end = ours.index("dynamic a {"), ours.index("lb_policy")
    addresses = " ".join(f"127.0.0.1:{server.port}" for server in servers)
    ours = ours[:start] + f"to {addresses}\n\t\t" + ours[end:]
    domain = f"http://127.0.0.1:{port}"
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + ours.replace("{$DOMAIN}", domain))
    for file in (folder / "Caddyfile", FOLDER / "Caddyfile"):
        command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(file)]
        subprocess.run(command, check=True, timeout=30, env=os.environ | {"DOMAIN": domain})
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture
def servers(django_db_setup) -> Iterator[list[WebServer]]:
    both = [WebServer(ALLOWED_HOSTS="*", BEHIND_TLS_PROXY="false") for _ in range(2)]
    yield both
    for server in both:
        server.stop()


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request, tmp_path) -> Iterator[str]:
    """The URL of the proxy that stands before both servers."""
    if not shutil.which(request.param.__name__):
        pytest.skip(f"{request.param.__name__} is not installed.")
    # Only now, for each takes seconds to start.
    port, servers = free_port(), request.getfixturevalue("servers")
    process = subprocess.Popen(
        request.param(tmp_path, port, servers), env=os.environ | {"HOME": str(tmp_path)}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: answers(url))
        yield url
    finally:
        process.terminate()
        process.wait(20)


def answers(url) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def asking(url, headers) -> Iterator[list[object]]:
    """Ask again and again meanwhile; what was answered, or what went wrong."""
    said: list[object] = []
    is_over = threading.Event()

    def ask() -> None:
        with httpx.Client(headers=headers, timeout=30) as client:
            while not is_over.is_set():
                try:
                    said.append(client.get(f"{url}/api/v1/projects/").status_code)
                except httpx.TransportError as error:
                    said.append(repr(error))

    with ExitStack() as stack:
        thread = threading.Thread(target=ask)
        thread.start()
        stack.callback(thread.join, 60)
        stack.callback(is_over.set)
        yield said


def test_servers_are_replaced_one_after_the_other_and_nobody_notices(
    proxy, servers, project, owner
):
    headers = {"Authorization": f"Token {token_of(owner)}"}
    with asking(proxy, headers) as said:
        for place, server in enumerate(servers):
            more_of(said)
            server.stop()
            more_of(said)
            servers[place] = WebServer(port=server.port, ALLOWED_HOSTS="*")
        more_of(said)

    assert set(said) == {200}


def test_a_socket_goes_on_at_the_other_server_and_misses_nothing(proxy, servers, project, viewer):
    url = f"{proxy.replace('http', 'ws')}/ws/projects/{project.pk}/"
    login = {"Authorization": f"Token {token_of(viewer)}"}
    options = {"additional_headers": login, "subprotocols": [SUBPROTOCOL]}
    seen = []
    with connect(f"{url}?after=0", **options) as connection:
        seen += events_of(hear_until(connection, "caught_up"))
        for place, server in enumerate(servers):
            server.stop()
            write(project.pk, 2)
            servers[place] = WebServer(port=server.port, ALLOWED_HOSTS="*")
        seen += events_of(rest_of(connection))
    with connect(f"{url}?after={seen[-1]}", **options) as connection:
        seen += events_of(hear_until(connection, "caught_up"))

    head = write(project.pk) - 1
    assert seen == list(range(1, head + 1))


def more_of(said) -> None:
    """Wait until some more was answered."""
    before = len(said)
    eventually(lambda: len(said) > before + 5)


def rest_of(connection) -> Iterator[dict]:
    """What still comes before the connection ends."""
    with suppress(ConnectionClosed):
        while True:
            yield json.loads(connection.recv(timeout=30))


def events_of(frames) -> list[int]:
    return [frame["sequence"] for frame in frames if frame["type"] == "event"]


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/health/detailed"])
def test_what_is_for_the_inside_is_not_shown_outside(proxy, path):
    assert httpx.get(proxy + path, timeout=20).status_code == 404


def test_a_body_that_is_too_large_is_refused_at_the_door(proxy, project, owner):
    answer = httpx.post(
        f"{proxy}/api/v1/projects/",
        content=b"x" * (7 * 1024 * 1024),
        headers={"Authorization": f"Token {token_of(owner)}", "Content-Type": "application/json"},
        timeout=30,
    )

    # Caddy learns of it in the midst of passing it on, and up to 2.6 says so by 502.
    assert answer.status_code in (413, 502)
    assert Project.objects.count() == 1
