"""Cosignatures of somebody else's machine, by the protocol tlog-witness of C2SP."""

import base64
import urllib.error
import urllib.request
from collections.abc import Callable

TIMEOUT_SECONDS = 5.0
ANSWER_MAX_BYTES = 100_000
#: Given a size: the consistency proof from it to the tree of the note.
Proof = Callable[[int], list[bytes]]


class WitnessAway(Exception):
    """It did not sign; says why."""


def cosign(url: str, note: str, known: int, prove: Proof) -> list[str]:
    """Lines of signatures. `known`: the size that it should have signed last; where it says another
    one, it is asked once more. Raises WitnessAway."""
    for _ in range(2):
        proof = "".join(f"{base64.b64encode(hash).decode()}\n" for hash in prove(known))
        request = urllib.request.Request(  # noqa: S310 - an http URL, checked at the start
            f"{url.rstrip('/')}/add-checkpoint",
            data=f"old {known}\n{proof}\n{note}".encode(),
            headers={"Content-Type": "text/plain; charset=utf-8"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return answer.read(ANSWER_MAX_BYTES).decode().splitlines()
        except urllib.error.HTTPError as error:
            says_size = error.headers.get_content_type() == "text/x.tlog.size"
            text = error.read(100).strip()
            if error.code != 409 or not says_size or not text.isdigit():
                raise WitnessAway(f"it answers {error.code}") from error
            known = int(text)
        except (OSError, UnicodeDecodeError) as error:
            raise WitnessAway(str(error)) from error
    raise WitnessAway("it wants a proof from another size each time")
