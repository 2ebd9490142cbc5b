import gc

# Hardly anything of what a start loads is garbage, and by default Python looks for some after every
# 700 objects: a quarter of the time of `migrate`, a tenth of any start.
gc.set_threshold(50_000, 20, 100)

from orchestrator.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
