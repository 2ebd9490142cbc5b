from django.dispatch import Signal

# Each is sent inside the transaction, with `project`.
project_created = Signal()
# A receiver may raise InvalidInput for a workflow that there is not.
workflow_chosen = Signal()
# Something changed that the engine should look at.
project_changed = Signal()
# With `actor`, too: what is open in the project ends with it.
project_stopped = Signal()
