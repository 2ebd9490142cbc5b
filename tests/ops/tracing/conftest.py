from tests.probes import closed_port

__all__ = ["closed_port"]
