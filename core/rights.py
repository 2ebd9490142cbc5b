"""Changes of what an account may do. Whoever keeps a record of them connects to the signal."""

from django.dispatch import Signal

#: After a change. `target` is the user, group or installation floor, `by` the user who did it,
#: `changes` holds `{name: {"old": ..., "new": ...}}`; of a password only that it changed.
rights_changed = Signal()
