"""A real worker with many tasks at once, and a model provider that does not answer."""

import os
import signal
import time

import pytest
from django.conf import settings
from redis import Redis

from agents.models import EmergencyStop, Task, TaskAttempt, WorkerProcess
from audit.actors import Actor
from projects.services import create_project
from tests.databases import connections_of
from tests.fixtures import BRIEF
from tests.live import eventually
from tests.openai_server import OpenAIServer, hang
from tests.scenes import side_task, stop

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
]

THREADS = 64
MANY = 40
