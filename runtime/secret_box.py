"""Encryption of secrets at rest: AES-256-GCM (NIST SP 800-38D, through ``cryptography``).

``INTERACTIONS_SECRETS_KEY`` holds one or more keys ``<id>:<base64 of 32 bytes>``, separated by commas. The
first one encrypts, all of them decrypt. To rotate: put a new key first, run ``interactions connectors
rotate-secrets``, then remove the old key.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.connector_settings import ConnectorSettings
from schemas.errors import Stop

VARIABLE: Final = "INTERACTIONS_SECRETS_KEY"
_NONCE: Final = 12
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """Encrypted secrets, and the id of the key that decrypts them."""

    key_id: str
    content: bytes


class SecretBox:
    """Encrypt and decrypt secrets of integrations.

    The ciphertext is bound to the integration's id, so that it cannot be decrypted from another row.

    :param keys: key id → 32 bytes; the first one encrypts.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(keys))

    def seal(self, integration_id: str, secrets: Mapping[str, str]) -> Sealed:
        """Encrypt with the current key."""
        nonce = os.urandom(_NONCE)
        content = self._ciphers[self.current].encrypt(
            nonce, orjson.dumps(dict(secrets)), _bound(integration_id)
        )
        return Sealed(self.current, nonce + content)

    def open(self, integration_id: str, sealed: Sealed) -> dict[str, str]:
        """Decrypt.

        :raises Stop: the key is not configured, or the ciphertext was altered or belongs to another row.
        """
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise Stop(
                f"{VARIABLE} has no key {sealed.key_id!r}, which is needed to decrypt the secrets of"
                f" {integration_id}"
            )
        try:
            plain = cipher.decrypt(sealed.content[:_NONCE], sealed.content[_NONCE:], _bound(integration_id))
            opened: dict[str, str] = orjson.loads(plain)
        except (InvalidTag, ValueError):  # ValueError: too short for a nonce, or not JSON
            raise Stop(
                f"the secrets of {integration_id} cannot be decrypted with key {sealed.key_id!r}"
            ) from None
        return opened


def _bound(integration_id: str) -> bytes:
    return f"customer-interactions/{integration_id}".encode()


def load_secret_box(connectors: ConnectorSettings) -> SecretBox:
    """Create the box for the keys of the connectors' settings.

    :raises Stop: see :func:`make_secret_box`.
    """
    keys = connectors.secrets_key
    return make_secret_box(keys.get_secret_value() if keys is not None else None)


def make_secret_box(text: str | None) -> SecretBox:
    """Create the box for the keys in ``INTERACTIONS_SECRETS_KEY``.

    :raises Stop: it is not set, or not of the form ``<id>:<base64 of 32 bytes>[,…]``.
    """
    advice = f'set {VARIABLE}="k1:$(openssl rand -base64 32)" and keep it safe'
    if not text:
        raise Stop(f"connectors store secrets encrypted and need a key: {advice}")
    keys: dict[str, bytes] = {}
    for part in text.split(","):
        key_id, _, encoded = part.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not key_id or len(key) != _KEY_BYTES or key_id in keys:
            raise Stop(f"{VARIABLE} must be a list of <id>:<base64 of 32 bytes> with unique ids; {advice}")
        keys[key_id] = key
    return SecretBox(keys)
