"""Record of a sign-in that has begun, encrypted in a cookie: the browser can neither read nor forge it."""

from __future__ import annotations

import base64

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from web.sign_in.cookies import RECORD_SECONDS

#: Characters of ``state`` in the cookie's name.
_ID_LENGTH = 16


class SignInRecord(msgspec.Struct, frozen=True):
    """State, nonce and PKCE verifier of one authorization request, and the page to continue with.

    Sources: RFC 6749, section 10.12; OpenID Connect Core 1.0, section 15.5.2; RFC 7636.
    """

    state: str
    nonce: str
    verifier: str
    next: str


class RecordBox:
    """Encrypts records with a key that is derived from the client secret, which all processes share."""

    def __init__(self, client_secret: str) -> None:
        derive = HKDF(SHA256(), 32, salt=None, info=b"interactions sign-in record")
        self._fernet = Fernet(base64.urlsafe_b64encode(derive.derive(client_secret.encode())))

    def seal(self, record: SignInRecord) -> str:
        """Encrypt a record."""
        return self._fernet.encrypt(msgspec.json.encode(record)).decode()

    def open(self, sealed: str) -> SignInRecord | None:
        """Decrypt a record; ``None`` if it is forged or older than ten minutes."""
        try:
            plain = self._fernet.decrypt(sealed.encode(errors="replace"), ttl=RECORD_SECONDS)
            return msgspec.json.decode(plain, type=SignInRecord)
        except (InvalidToken, msgspec.MsgspecError):
            return None


def record_id(state: str) -> str | None:
    """The part of ``state`` that names the cookie of its record; ``None`` for a malformed state."""
    found = state[:_ID_LENGTH]
    return found if len(found) == _ID_LENGTH and found.isascii() and found.isalnum() else None
