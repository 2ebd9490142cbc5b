from context.services.content import CONTENT_MAX_BYTES, Checked, check_content
from context.services.imports import store_imported
from context.services.inputs import add_version, create_artifact, store_input, write_version
from context.services.outputs import store_output
from context.services.storage import Source
from context.services.upgrades import forget_repeated_names, split_old_versions
from context.services.uploads import UPLOAD_MAX_BYTES, upload_file
from context.services.versions import (
    accept_version,
    accept_versions,
    record_version,
    reject_versions,
)

__all__ = [
    "CONTENT_MAX_BYTES",
    "UPLOAD_MAX_BYTES",
    "Checked",
    "Source",
    "accept_version",
    "accept_versions",
    "add_version",
    "check_content",
    "create_artifact",
    "forget_repeated_names",
    "record_version",
    "reject_versions",
    "split_old_versions",
    "store_imported",
    "store_input",
    "store_output",
    "upload_file",
    "write_version",
]
