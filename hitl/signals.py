from django.dispatch import Signal

# Sent inside the transaction, with `request`, `decision`: a person has settled a request.
request_decided = Signal()
# With `request`: nobody has, and its time ended it.
request_timed_out = Signal()
