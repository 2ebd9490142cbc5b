"""Web and workers are killed between recording an answer and resuming; every answer resumes."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from django.contrib.auth.models import User

from hitl.models import Decision, HitlRequest
from projects.models import Project
from tests.live import WebServer, eventually, token_of
from tests.scenes import asked

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

FAULTY = {"DJANGO_SETTINGS_MODULE": "tests.end_to_end.faulty_settings"}
PROJECTS = 8
# Servers are started anew on the way, which takes long on a busy machine.
PATIENCE_SECONDS = 200


def approve(url: str, request: HitlRequest, user: User, key: str) -> httpx.Response:
    return httpx.post(
        f"{url}/api/v1/hitl/requests/{request.pk}/decisions/",
        json={"action": "approve", "subject_digest": request.subject_digest},
        headers={"Authorization": f"Token {token_of(user)}", "Idempotency-Key": key},
        timeout=30,
        # It is no TLS, and to read all certificates for each try takes long.
        verify=False,  # noqa: S501
    )


def resumed(project: Project) -> bool:
    """The next step has asked about what it made."""
    return HitlRequest.objects.pending().filter(project=project, step="project_plan").exists()


class Web:
    """Servers on one port, the next one when one has died."""

    def __init__(self, *faults: str) -> None:
        self.server = WebServer(FAULT=faults[0], **FAULTY)
        self.url, self.faults, self.deaths = self.server.url, list(faults[1:]), 0

    def revive(self) -> None:
        if self.server.process.poll() is None:
            return
        self.deaths += 1
        fault = self.faults.pop(0) if self.faults else ""
        self.server = WebServer(port=self.server.port, FAULT=fault, **FAULTY)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.server.stop()


@pytest.fixture
def project(make_project):
    return make_project()


def test_an_answer_whose_server_died_before_it_rang_resumes(project, approver, start_worker):
    request = asked(project)
    web = Web("after_commit_before_enqueue:1")
    try:
        with pytest.raises(httpx.TransportError):
            approve(web.url, request, approver, "once")
        assert web.server.process.wait(20) == -9
    finally:
        web.stop()
    assert HitlRequest.objects.get(pk=request.pk).status == "approved"

    start_worker(processes=1)

    eventually(lambda: resumed(project), PATIENCE_SECONDS)
    assert Decision.objects.count() == 1


def test_an_answer_whose_worker_died_before_it_resumed_resumes(project, approver, start_worker):
    request = asked(project)
    doomed = start_worker(processes=1, FAULT="after_claim:1", **FAULTY)
    eventually(doomed.is_ready)
    web = Web("")
    try:
        assert approve(web.url, request, approver, "once").status_code == 201
        eventually(lambda: "SIGKILL" in doomed.output() or "signal 9" in doomed.output())
        doomed.kill()
    finally:
        web.stop()
    assert not resumed(project)

    start_worker(processes=1)

    eventually(lambda: resumed(project), PATIENCE_SECONDS)


def send_until_heard(web: Web, request: HitlRequest, user: User) -> int:
    """As a good client does: the same key again until there is an answer."""
    key, limit = str(uuid4()), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < limit:
        try:
            return approve(web.url, request, user, key).status_code
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError("nobody answered")


def test_every_answer_of_many_resumes_though_web_and_worker_die_on_the_way(
    make_project, approver, start_worker
):
    projects = [make_project(name=f"Project {number}") for number in range(PROJECTS)]
    requests = [asked(project) for project in projects]
    token_of(approver)
    worker = start_worker(FAULT="after_claim:3", **FAULTY)
    eventually(worker.is_ready)
    web = Web("after_commit_before_enqueue:3", "before_commit:3")
    try:
        with ThreadPoolExecutor(PROJECTS) as pool:
            sent = [pool.submit(send_until_heard, web, request, approver) for request in requests]
            while not all(one.done() for one in sent):
                web.revive()
                time.sleep(0.05)
        heard = [one.result() for one in sent]
    finally:
        web.stop()
    worker.kill()
    start_worker()

    eventually(lambda: all(resumed(project) for project in projects), PATIENCE_SECONDS)
    decided = HitlRequest.objects.filter(pk__in=[request.pk for request in requests])
    assert web.deaths == 2
    assert set(heard) == {201}
    assert Decision.objects.count() == PROJECTS
    assert set(decided.values_list("status", flat=True)) == {"approved"}
