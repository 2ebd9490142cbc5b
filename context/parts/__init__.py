"""Contents in parts: sections that give back the whole, and concepts with stable ids.

Pure functions of a content and its type. The same content is always cut in the same way, and a
small edit leaves the other parts as they were, so that they need not be stored again.
"""

from context.parts.concepts import ConceptPart, find_concepts
from context.parts.sections import SectionPart, estimate_tokens, join_sections, split_content

__all__ = [
    "ConceptPart",
    "SectionPart",
    "estimate_tokens",
    "find_concepts",
    "join_sections",
    "split_content",
]
