"""Time stamps of checkpoints by somebody else's clock (RFC 3161).

A stamp says that a checkpoint was there at a time: who has the key and the database cannot sign
another log of that day afterwards. It is kept beside the note, `.tsr` in the place of `.note`.
"""

import urllib.request
from datetime import datetime
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

TIMEOUT_SECONDS = 5.0
ANSWER_MAX_BYTES = 100_000
SUFFIX = ".tsr"


class NoStamp(Exception):
    """None came, or it is not one of this checkpoint; says why."""


def stamp(url: str, note: str) -> bytes:
    """The answer as the authority signed it. Raises NoStamp."""
    question = (
        TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    )
    request = urllib.request.Request(  # noqa: S310 - an http URL, checked at the start
        url, data=question.as_bytes(), headers={"Content-Type": "application/timestamp-query"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            content = answer.read(ANSWER_MAX_BYTES)
    except OSError as error:
        raise NoStamp(str(error)) from error
    response = _parsed(content)
    if response.tst_info.nonce != question.nonce:
        raise NoStamp("it answered another question")
    if response.tst_info.message_imprint.message != question.message_imprint.message:
        raise NoStamp("it has stamped something else")
    return content


def verify_stamp(file: Path, note: str, roots: Path) -> datetime:
    """When the note was there, by an authority that the roots vouch for. Raises NoStamp."""
    try:
        certificates = x509.load_pem_x509_certificates(roots.read_bytes())
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        raise NoStamp(str(error)) from error
    response, builder = _parsed(content), VerifierBuilder()
    for certificate in certificates:
        builder = builder.add_root_certificate(certificate)
    try:
        builder.build().verify_message(response, note.encode())
    except (VerificationError, ValueError) as error:
        raise NoStamp(str(error)) from error
    return response.tst_info.gen_time


def _parsed(content: bytes) -> TimeStampResponse:
    try:
        response = decode_timestamp_response(content)
        if PKIStatus(response.status) == PKIStatus.GRANTED:
            return response
    except ValueError as error:
        raise NoStamp(f"it is no time stamp in DER: {error}") from error
    raise NoStamp(f"the authority refused: {' '.join(response.status_string) or response.status}")
