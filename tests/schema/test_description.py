"""The API does what its description says, whatever is sent, and whoever sends it.

Each request starts from the same project and is rolled back. Of the ids, three of four are
those of something in there: made-up ones alone would only ever be told 404.

The owner sends everything. The others are refused most of it unread, so that they take turns;
in the long campaign they send everything, too.
"""

from itertools import cycle

import pytest
from django.db import transaction
from hypothesis import note, settings

from tests.schema.sending import CHECKED, EXAMPLES, REPEATABLE, schema, use_real_ids

pytestmark = pytest.mark.django_db
TURNS = cycle(["nobody", "viewer", "outsider"])


@schema.parametrize()
@settings(REPEATABLE, max_examples=EXAMPLES)
def test_every_answer_is_described(things, logins, case):
    use_real_ids(case, things)

    for who in logins if EXAMPLES >= 10 else ("owner", next(TURNS)):
        note(f"as {who}")
        with transaction.atomic():
            response = case.call(headers=logins[who])
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKED)
