from context.serializers.artifacts import (
    ArtifactDetailSerializer,
    ArtifactInput,
    ArtifactSerializer,
    UploadInput,
    VersionDetailSerializer,
    VersionInput,
    VersionSerializer,
)
from context.serializers.differences import DiffQuery, DiffSerializer
from context.serializers.lineage import LineageQuery, LineageSerializer
from context.serializers.parts import (
    ConceptQuery,
    ConceptSerializer,
    SectionQuery,
    SectionSerializer,
)
from context.serializers.types import ArtifactTypeSerializer, ArtifactTypesSerializer

__all__ = [
    "ArtifactDetailSerializer",
    "ArtifactInput",
    "ArtifactSerializer",
    "ArtifactTypeSerializer",
    "ArtifactTypesSerializer",
    "ConceptQuery",
    "ConceptSerializer",
    "DiffQuery",
    "DiffSerializer",
    "LineageQuery",
    "LineageSerializer",
    "SectionQuery",
    "SectionSerializer",
    "UploadInput",
    "VersionDetailSerializer",
    "VersionInput",
    "VersionSerializer",
]
