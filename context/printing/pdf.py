"""The assembled document as PDF, set by Typst: a library in one wheel that needs nothing else."""

import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("document.typ")
# A long document takes hundreds of megabytes while it is set.
_one_at_a_time = threading.Lock()


def print_pdf(document: dict[str, Any]) -> bytes:
    """The bytes depend on nothing but the document and the fonts of this machine."""
    # Only who asks for a PDF pays for the library.
    import typst

    text = json.dumps(document, ensure_ascii=False)
    with _one_at_a_time:
        return typst.compile(
            TEMPLATE.read_bytes(),
            format="pdf",
            font_paths=_fonts(),
            sys_inputs={"document": text},
        )


@lru_cache(maxsize=1)
def _fonts() -> Any:
    import typst

    return typst.Fonts()
