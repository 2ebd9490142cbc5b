from tests.end_to_end.conftest import start_worker

__all__ = ["start_worker"]
