"""What the test button does, in a worker."""

from agents.endpoints.services import endpoint_of, note_test
from agents.models import ModelEndpoint
from agents.protocols import WorkError
from agents.providers.llm import LLMModel
from core.database import release_connection

SECONDS = 30.0


def try_endpoint(endpoint_id: int) -> str:
    """The code of what failed, as it is noted with the endpoint; empty where it answered."""
    endpoint = ModelEndpoint.objects.select_related("project").filter(pk=endpoint_id).first()
    if endpoint is None or endpoint.tested_at is not None:
        return ""
    error: WorkError | None
    try:
        found = endpoint_of(endpoint.project, endpoint.name)
        model = LLMModel(f"{endpoint.name}:{endpoint.test_model}", endpoint_for=lambda name: found)
        # A call takes long: others may use the connection meanwhile.
        release_connection()
        _, error = model.try_out(SECONDS)
    except WorkError as failure:
        error = failure
    note_test(endpoint, error.code if error else "", error.detail if error else "")
    return error.code if error else ""
