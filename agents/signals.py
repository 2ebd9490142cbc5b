from django.dispatch import Signal

# Sent inside the transaction, with `task`: it stopped, so the engine should look what is next.
task_stopped = Signal()
