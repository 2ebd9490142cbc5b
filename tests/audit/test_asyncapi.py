import json
import uuid

import httpx
import jsonschema
import pytest
import yaml

from audit.stream.notifier import publish_ephemeral
from tests.audit.test_http_stream import Sse
from tests.live import SUBPROTOCOL, Stream, WebServer, write

pytestmark = pytest.mark.django_db(transaction=True)

# As tests/agents/test_progress.py finds it.
AGENT_AT_WORK = {
    "kind": "partial_output",
    "task": str(uuid.uuid4()),
    "step": "specify",
    "agent_type": "analyst",
    "artifact_type": "software_specification",
    "number": 1,
    "of": 2,
    "text": "# The library",
}


@pytest.fixture
def document(client) -> dict:
    response = client.get("/api/asyncapi.yaml")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/yaml"
    return yaml.safe_load(response.content)


def schema(document: dict, speaker: str, kind: str) -> dict:
    return document["components"]["messages"][f"{speaker}_{kind}"]["payload"]


def resolve(document: dict, reference: str) -> dict:
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_every_reference_leads_somewhere(document):
    references = [
        value["$ref"]
        for value in walk(document)
        if isinstance(value, dict) and isinstance(value.get("$ref"), str)
    ]

    assert document["asyncapi"] == "3.0.0"
    assert references
    assert all(resolve(document, reference) for reference in references)


def walk(node):
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    for child in children:
        yield from walk(child)


class Witness:
    """Holds each frame, both ways, against the document."""

    def __init__(self, document: dict, stream: Stream) -> None:
        self.document, self.stream = document, stream
        self.kinds: set[str] = set()

    def say(self, kind: str, **fields) -> None:
        jsonschema.validate({"type": kind} | fields, schema(self.document, "client", kind))
        self.stream.say(kind, **fields)

    def hear_until(self, kind: str) -> dict:
        while True:
            frame = self.stream.hear()
            jsonschema.validate(frame, schema(self.document, "server", frame["type"]))
            self.kinds.add(frame["type"])
            if frame["type"] == "ping":
                # All of it may take longer than the server waits for an answer.
                self.say("pong")
            if frame["type"] == kind:
                return frame


def test_every_frame_is_as_the_document_says(document, impatient: WebServer, project, viewer):
    stream = Stream(impatient.connect("/ws/", viewer, subprotocols=[SUBPROTOCOL]))
    witness = Witness(document, stream)
    witness.say("connection_init")
    witness.hear_until("connection_ack")
    witness.say("subscribe", id="a", project=str(project.pk), window=100, epoch="0")
    witness.hear_until("reset")
    witness.hear_until("caught_up")
    head = write(project.pk)
    witness.hear_until("event")
    witness.say("ack", id="a", sequence=head)
    publish_ephemeral(project.pk, AGENT_AT_WORK)
    witness.hear_until("ephemeral")
    witness.hear_until("ping")
    witness.say("ping")
    witness.hear_until("pong")
    witness.say("subscribe", id="b", project=str(uuid.uuid4()))
    witness.hear_until("error")
    witness.say("subscribe", id="c", project=str(project.pk), types=["task_progress"])
    witness.hear_until("event")
    witness.say("complete", id="c")
    witness.hear_until("complete")
    witness.say("subscribe", id="d", project="inbox")
    witness.hear_until("inbox")
    witness.say("complete", id="d")
    witness.hear_until("complete")
    stream.close()

    described = {
        name.removeprefix("server_")
        for name in document["components"]["messages"]
        if name.startswith("server_")
    }
    assert witness.kinds == described


def test_the_frames_of_server_sent_events_are_the_same(
    document, web_server: WebServer, project, viewer
):
    with Sse(web_server, project.pk, viewer) as sse:
        frames = [sse.hear()["data"] for _ in range(5)]

    for frame in frames:
        jsonschema.validate(frame, schema(document, "server", frame["type"]))


def test_the_document_is_served_without_login(web_server: WebServer):
    response = httpx.get(f"{web_server.url}/api/asyncapi.yaml")

    assert json.dumps(yaml.safe_load(response.text))
