from tests.whole_logs import whole_logs

__all__ = ["whole_logs"]
