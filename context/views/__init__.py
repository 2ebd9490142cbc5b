from context.views.artifacts import ArtifactViewSet
from context.views.types import ArtifactTypesView

__all__ = ["ArtifactTypesView", "ArtifactViewSet"]
