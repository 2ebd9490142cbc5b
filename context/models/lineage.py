from django.db import models
from django.db.models import F, Q

from context.enums import DerivationKind
from context.models.artifacts import ArtifactVersion


class Derivation(models.Model):
    """`derived` was made from `source` (PROV: wasDerivedFrom). Written with the derived version."""

    derived = models.ForeignKey(
        ArtifactVersion, on_delete=models.CASCADE, related_name="derivations"
    )
    source = models.ForeignKey(ArtifactVersion, on_delete=models.CASCADE, related_name="uses")
    kind = models.CharField(max_length=10, choices=DerivationKind)

    class Meta:
        db_table = "context_derivations"
        ordering = ["derived", "source"]
        constraints = [
            models.UniqueConstraint(fields=["derived", "source"], name="derivation_once"),
            # Versions are numbered as they are written, so nothing can come of itself.
            models.CheckConstraint(
                condition=Q(source__lt=F("derived")), name="derivation_from_an_older_version"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=DerivationKind.values), name="derivation_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.derived_id} {self.kind} {self.source_id}"
