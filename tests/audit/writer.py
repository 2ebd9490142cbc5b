"""A writer in a process of its own: `writer.py PROJECT COUNT PER_SECOND`.

Prints of each event its sequence and the milliseconds that its transaction took.
"""

import sys
import time
import uuid

import django

django.setup()

from tests.live import write  # noqa: E402

project_id, count, per_second = uuid.UUID(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
start = time.monotonic()
for number in range(count):
    began = time.monotonic()
    sequence = write(project_id)
    print(sequence, (time.monotonic() - began) * 1000, flush=True)
    time.sleep(max(0, start + (number + 1) / per_second - time.monotonic()))
