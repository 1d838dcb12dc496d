"""Recognise values that Open Mercato encrypted (packages/shared/src/lib/encryption/aes.ts).

The form is ``iv:ciphertext:tag:v1`` in base64: AES-256-GCM with a vector of 12 bytes and a tag of
16 bytes.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.errors import Stop

#: For Python's ``re`` and for Postgres.
CIPHERTEXT: Final = r"^[A-Za-z0-9+/]{16}:[A-Za-z0-9+/]*={0,2}:[A-Za-z0-9+/]{22}==:v1$"
#: The end of such a value, in the bytes of a file.
CIPHERTEXT_END: Final = re.compile(rb":[A-Za-z0-9+/]{22}==:v1")
CIPHERTEXT_END_BYTES: Final = 32
#: The last characters of every such value.
CIPHERTEXT_TAIL: Final = ":v1"
_VALUE: Final = re.compile(CIPHERTEXT)


def is_ciphertext(text: str) -> bool:
    """Check for an encrypted value."""
    return text.endswith(CIPHERTEXT_TAIL) and _VALUE.fullmatch(text) is not None


def encrypted(place: str) -> Stop:
    """The error for a source with encrypted values."""
    return Stop(
        f"{place} is encrypted, and the import has no keys. Nothing was imported. Make a copy of the"
        " installation, decrypt the copy there with `mercato entities decrypt-database --tenant ID --confirm"
        " ID`, verify it with `--check`, and import from the copy."
    )
