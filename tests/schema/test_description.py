"""The API does what its description says, whatever is sent, and whoever sends it.

Each request starts from the same project, made once, and is rolled back. Of the ids, three of
four are those of something in there: made-up ones alone would only ever be told 404.

The owner sends everything. The others are refused most of it unread, so that one of them sends
every other request; in the long campaign they send everything, too.
"""

from itertools import cycle

import pytest
from django.db import transaction
from hypothesis import note, settings

from tests.fixtures import library_of, make_user
from tests.isolation.things import Things
from tests.schema.conftest import logins_of
from tests.schema.sending import CHECKED, EXAMPLES, REPEATABLE, schema, use_real_ids

pytestmark = pytest.mark.django_db
ROLES = ("owner", "approver", "viewer", "outsider")
OTHERS = ("nobody", "viewer", "outsider")
TURNS = cycle(turn for other in OTHERS for turn in (("owner", other), ("owner",)))


@pytest.fixture(scope="module")
def home(django_db_setup, django_db_blocker):
    """The project with everything in it, and the logins."""
    with django_db_blocker.unblock(), transaction.atomic():
        owner, approver, viewer, outsider = map(make_user, ROLES)
        things = Things(library_of(owner, approver, viewer))
        yield things, logins_of(owner, viewer, outsider)
        transaction.set_rollback(True)


@schema.parametrize()
@settings(REPEATABLE, max_examples=EXAMPLES)
def test_every_answer_is_described(home, case):
    things, logins = home
    use_real_ids(case, things)

    for who in logins if EXAMPLES >= 10 else next(TURNS):
        note(f"as {who}")
        with transaction.atomic():
            response = case.call(headers=logins[who])
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKED)
