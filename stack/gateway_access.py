"""Address of the embedded stack's HTTP gateway, and the key that signs its local tokens."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from runtime.gateway_settings import API_PREFIX
from stack.home import Home

_OWN_TRUST = (f"{API_PREFIX}JWT_SECRET", f"{API_PREFIX}JWT_SECRET_FILE", f"{API_PREFIX}JWKS_URL")


@dataclass(frozen=True, slots=True)
class GatewayAccess:
    """Port of the gateway and the key that it trusts.

    :param key_file: the stack's own key; ``None`` when the environment names another key.
    """

    port: int
    key_file: Path | None

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, number: int) -> dict[str, str]:
        """Environment of the ``number``-th gateway process; all but the first listen on any free port."""
        found = {f"{API_PREFIX}PORT": str(self.port if number == 1 else 0)}
        if self.key_file is not None:
            # Hazard: a process that can read the key file can sign in as any user. Loopback only.
            found |= {
                f"{API_PREFIX}JWT_SECRET_FILE": str(self.key_file),
                f"{API_PREFIX}HOST": "127.0.0.1",
                f"{API_PREFIX}LOCAL_SIGN_IN": "true",
            }
        return found


def plan_gateway(home: Home, port: int) -> GatewayAccess:
    """Generate the signing key unless the environment names one. The key is kept as long as the home."""
    if any(os.environ.get(name) for name in _OWN_TRUST):
        return GatewayAccess(port, None)
    key_file = home.data / "gateway.key"
    if not key_file.exists():
        fresh = key_file.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        fresh.replace(key_file)
    return GatewayAccess(port, key_file)
