"""A restored backup begins a new epoch; the log goes on, and its chain holds."""

from io import StringIO

import pytest
from django.core.management import call_command

from audit.installation import INSTALLATION
from audit.models import Event, Stream
from audit.verification import verify_stream
from tests.live import write

pytestmark = pytest.mark.django_db


def test_each_stream_gets_an_epoch_of_its_own_and_its_chain_goes_on(project, make_project):
    other = make_project(name="Another")
    before = set(Stream.objects.values_list("epoch", flat=True))
    out = StringIO()

    call_command("begin_epoch", stdout=out)
    head = write(project.pk)

    streams = Stream.objects.exclude(project=INSTALLATION)
    after = dict(streams.values_list("project", "epoch"))
    assert out.getvalue() == "2 streams have a new epoch.\n"
    assert len(set(after.values())) == 2
    assert not before & set(after.values())
    assert Event.objects.get(project=project.pk, sequence=head).epoch == after[project.pk]
    assert verify_stream(project.pk).valid
    assert verify_stream(other.pk).valid
