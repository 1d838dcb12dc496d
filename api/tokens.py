"""Verify bearer tokens: JWTs signed with a shared secret (HS256) or a key of a JWKS (RFC 7519)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import jwt
import structlog

from api.principal import Principal
from api.signing_keys import SigningKeys
from runtime.gateway_settings import GatewaySettings
from schemas.errors import InteractionsError, NeedsAuth, Retry, Stop
from schemas.values import UUID_PATTERN, attribute_text

_log = structlog.get_logger("gateway")
_UUID: Final = re.compile(UUID_PATTERN)
_LEEWAY_SECONDS: Final = 10
ASYMMETRIC: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_MAX_FEATURES: Final = 1000
#: A verified token is cached for this time or until it expires. The identity provider's keys are cached
#: longer.
_CACHE_SECONDS: Final = 30.0
_MAX_CACHED: Final = 10_000
#: Timeout of fetching the identity provider's keys.
_KEYS_TIMEOUT_SECONDS: Final = 6.0
#: Seconds since the epoch. A later ``exp`` is a mistake, not a token without an end.
YEAR_10000: Final = 253_402_300_800
#: Raised by PyJWT for an unreadable token. Hazard: they are not only its own classes. A header of deeply
#: nested JSON raises a RecursionError, and a key of another type than ``alg`` a TypeError.
_UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class KeySource(Protocol):
    """Source of signing keys."""

    def get_signing_keys(self, refresh: bool = False) -> list[jwt.PyJWK]:
        """The identity provider's keys, cached. Blocking."""
        ...

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        """The key with this id. Blocking."""
        ...


class TokenVerifier:
    """Verifies tokens. The accepted algorithms are fixed here, never by the token (RFC 8725, section 3.1).

    :param clock: seconds since the epoch.
    :raises Stop: neither a secret nor a JWKS is configured.
    """

    def __init__(
        self, settings: GatewaySettings, keys: KeySource | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._cache: dict[str, tuple[float, Principal]] = {}
        self._secret = settings.secret()
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._keys: KeySource | None = keys
        if keys is None and settings.jwks_url is not None:
            self._keys = SigningKeys(settings.jwks_url)
        if self._secret is None and self._keys is None:
            raise Stop(
                "The gateway cannot verify tokens. Set INTERACTIONS_API_JWT_SECRET (or _FILE) or "
                "INTERACTIONS_API_JWKS_URL."
            )

    async def verify(self, token: str) -> Principal:
        """Verify a token and return its principal.

        :raises NeedsAuth: the token is malformed, expired, signed by another key, or lacks a claim.
        :raises Retry: the identity provider's keys are unavailable.
        """
        now = self._clock()
        until, known = self._cache.get(token, (0.0, None))
        if known is not None and now < until:
            return known
        try:
            claims = await self._claims(token)
        except InteractionsError:
            raise
        except jwt.ExpiredSignatureError:
            raise NeedsAuth("The token has expired; get a new one.") from None
        except _UNREADABLE:
            raise NeedsAuth("The token is invalid.") from None
        principal = principal_of(claims)
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[token] = (
            min(now + _CACHE_SECONDS, principal.expires_at + _LEEWAY_SECONDS),
            principal,
        )
        return principal

    async def _claims(self, token: str) -> dict[str, Any]:
        key: Any
        header = jwt.get_unverified_header(token)
        if header.get("alg") == "HS256" and self._secret is not None:
            key, algorithms = self._secret, ["HS256"]
        elif self._keys is not None:
            key = (await self._key_of(self._keys, header.get("kid"))).key
            algorithms = ASYMMETRIC
        else:
            raise jwt.InvalidAlgorithmError("algorithm not accepted")
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
        )

    @staticmethod
    async def _key_of(keys: KeySource, kid: Any) -> jwt.PyJWK:
        try:
            # The key source may block on the network, so it runs in a thread.
            async with asyncio.timeout(_KEYS_TIMEOUT_SECONDS):
                return await asyncio.to_thread(_signing_key, keys, kid)
        except TimeoutError as error:
            raise _unavailable(error) from None


def _signing_key(keys: KeySource, kid: Any) -> jwt.PyJWK:
    """The identity provider's key with this id.

    :raises Retry: the provider does not respond, or its response contains no usable keys.
    :raises jwt.PyJWKClientError: the provider has no key with this id.
    """
    try:
        keys.get_signing_keys()
    except Exception as error:  # noqa: BLE001 - a provider failure is never the caller's fault
        raise _unavailable(error) from None
    try:
        return keys.get_signing_key(kid)
    except jwt.PyJWKClientError as error:
        # Its only subclass reports a provider that does not respond.
        if isinstance(error, jwt.PyJWKClientConnectionError):
            raise _unavailable(error) from None
        raise
    except Exception as error:  # noqa: BLE001 - the keys are fetched again for an unknown id
        raise _unavailable(error) from None


def _unavailable(error: Exception) -> Retry:
    _log.warning("gateway.keys_unavailable", error=type(error).__name__)
    return Retry(
        "The identity provider's keys are unavailable, so the token cannot be verified; retry.", after=5
    )


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Read the caller's identity from verified claims.

    :raises NeedsAuth: a claim is missing or malformed.
    """
    for name in ("tenantId", "organizationId"):
        if not isinstance(claims.get(name), str) or not _UUID.fullmatch(claims[name]):
            raise NeedsAuth(f"The token's claim {name} is missing or not a UUID.")
    features = claims.get("features", [])
    if not isinstance(features, list) or len(features) > _MAX_FEATURES:
        raise NeedsAuth(f"The token's claim features must be a list of at most {_MAX_FEATURES} names.")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 100 or not _is_attribute(subject):
        raise NeedsAuth(
            "The token's claim sub must be a text of 1 to 100 characters, without control characters and"
            " without white space at its ends."
        )
    expires_at = claims.get("exp")
    # RFC 7519, section 2: a NumericDate is a JSON number.
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or expires_at >= YEAR_10000:
        raise NeedsAuth("The token's claim exp must be a number of seconds before the year 10000.")
    return Principal(
        tenant_id=claims["tenantId"].lower(),
        organization_id=claims["organizationId"].lower(),
        subject=subject,
        features=frozenset(name for name in features if isinstance(name, str) and _is_attribute(name)),
        expires_at=float(expires_at),
    )


def _is_attribute(text: str) -> bool:
    """Check that a text can be a CloudEvents attribute: the subject is the ``actorid`` of commands."""
    try:
        attribute_text(text)
    except ValueError:
        return False
    # UTF-8 cannot encode lone surrogates.
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
