from django.dispatch import Signal

# Sent inside the transaction, with `artifact`: a person wrote a version.
artifact_changed = Signal()
