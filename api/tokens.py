"""Bearer tokens: JSON Web Tokens, HS256 by a shared secret or signed by the keys of a JWKS (RFC 7519)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import jwt
import structlog

from api.principal import Principal
from runtime.gateway_settings import GatewaySettings
from schemas.errors import NeedsAuth, Retry, Stop
from schemas.values import UUID_PATTERN

_log = structlog.get_logger("gateway")
_UUID: Final = re.compile(UUID_PATTERN)
_LEEWAY_SECONDS: Final = 10
_ASYMMETRIC: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_MOST_FEATURES: Final = 1000
#: A verified token is believed for so long, or until it expires: the same caller comes again and again.
#: The keys of an identity provider are kept for longer than that.
_BELIEVED_SECONDS: Final = 30.0
_MOST_BELIEVED: Final = 10_000


class KeySource(Protocol):
    """Finds the key that signed a token."""

    def get_signing_key_from_jwt(self, token: str) -> Any:
        """The key by the token's ``kid``; blocking."""
        ...


class Tokens:
    """Reads tokens. Which algorithms are taken is ours to say, never the token's (RFC 8725, section 3.1).

    :param clock: seconds since the epoch.
    :raises Stop: neither a secret nor a JWKS is set: nobody could be trusted.
    """

    def __init__(
        self, settings: GatewaySettings, keys: KeySource | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._believed: dict[str, tuple[float, Principal]] = {}
        self._secret = settings.secret()
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._keys: KeySource | None = keys
        if keys is None and settings.jwks_url is not None:
            self._keys = jwt.PyJWKClient(settings.jwks_url, timeout=5, lifespan=300)
        if self._secret is None and self._keys is None:
            raise Stop(
                "The gateway trusts nobody yet: set INTERACTIONS_API_JWT_SECRET (or _FILE) or "
                "INTERACTIONS_API_JWKS_URL."
            )

    async def read(self, token: str) -> Principal:
        """The token's holder.

        :raises NeedsAuth: the token is malformed, expired, of another signer, or lacks a claim.
        :raises Retry: the identity provider's keys cannot be fetched now.
        """
        now = self._clock()
        until, known = self._believed.get(token, (0.0, None))
        if known is not None and now < until:
            return known
        try:
            claims = await self._claims(token)
        except jwt.PyJWKClientConnectionError:
            raise Retry("the identity provider cannot be asked for its keys now", after=5) from None
        except jwt.ExpiredSignatureError:
            raise NeedsAuth("the token has expired; get a new one") from None
        except (jwt.InvalidTokenError, jwt.PyJWKClientError):
            raise NeedsAuth("the token is not valid") from None
        principal = _principal(claims)
        if len(self._believed) >= _MOST_BELIEVED:
            self._believed.clear()
        self._believed[token] = min(now + _BELIEVED_SECONDS, claims["exp"] + _LEEWAY_SECONDS), principal
        return principal

    async def _claims(self, token: str) -> dict[str, Any]:
        key: Any
        if jwt.get_unverified_header(token).get("alg") == "HS256" and self._secret is not None:
            key, algorithms = self._secret, ["HS256"]
        elif self._keys is not None:
            # It may fetch over the network, so not in the loop's thread.
            key = (await asyncio.to_thread(self._keys.get_signing_key_from_jwt, token)).key
            algorithms = _ASYMMETRIC
        else:
            raise jwt.InvalidAlgorithmError("this algorithm is not accepted")
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
        )


def _principal(claims: dict[str, Any]) -> Principal:
    for name in ("tenantId", "organizationId"):
        if not isinstance(claims.get(name), str) or not _UUID.fullmatch(claims[name]):
            raise NeedsAuth(f"the token's claim {name} is missing or no UUID")
    features = claims.get("features", [])
    if not isinstance(features, list) or len(features) > _MOST_FEATURES:
        raise NeedsAuth("the token's claim features must be a list of names")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 100 or "\x00" in subject:
        raise NeedsAuth("the token's claim sub must be a text of 1 to 100 characters")
    return Principal(
        tenant_id=claims["tenantId"].lower(),
        organization_id=claims["organizationId"].lower(),
        subject=subject,
        features=frozenset(name for name in features if isinstance(name, str)),
    )
