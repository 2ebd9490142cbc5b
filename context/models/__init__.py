from context.models.artifacts import Artifact, ArtifactQuerySet, ArtifactVersion
from context.models.builds import ContextBuild
from context.models.lineage import Derivation
from context.models.parts import Body, Concept, Section

__all__ = [
    "Artifact",
    "ArtifactQuerySet",
    "ArtifactVersion",
    "Body",
    "Concept",
    "ContextBuild",
    "Derivation",
    "Section",
]
