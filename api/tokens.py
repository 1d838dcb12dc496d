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
from schemas.errors import InteractionsError, NeedsAuth, Retry, Stop
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
#: How long a request waits for the keys of the identity provider.
_KEYS_SECONDS: Final = 6.0
#: Seconds since the epoch; a later ``exp`` is taken for a mistake, not for a token without an end.
_YEAR_10000: Final = 253_402_300_800
#: Raised by PyJWT for a token that cannot be read. Hazard: not only its own classes: a header of deeply
#: nested JSON ends in a RecursionError, and a key of another kind than ``alg`` says in a TypeError.
_UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class KeySource(Protocol):
    """Finds the key that signed a token."""

    def get_signing_keys(self, refresh: bool = False) -> list[jwt.PyJWK]:
        """The keys of the identity provider, kept for a while; blocking."""
        ...

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        """The key with this id; blocking."""
        ...


class TokenVerifier:
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

    async def verify(self, token: str) -> Principal:
        """The token's holder.

        :raises NeedsAuth: the token is malformed, expired, of another signer, or lacks a claim.
        :raises Retry: the identity provider's keys cannot be fetched or used now.
        """
        now = self._clock()
        until, known = self._believed.get(token, (0.0, None))
        if known is not None and now < until:
            return known
        try:
            claims = await self._claims(token)
        except InteractionsError:
            raise
        except jwt.ExpiredSignatureError:
            raise NeedsAuth("the token has expired; get a new one") from None
        except _UNREADABLE:
            raise NeedsAuth("the token is not valid") from None
        principal = _principal(claims)
        if len(self._believed) >= _MOST_BELIEVED:
            self._believed.clear()
        self._believed[token] = (
            min(now + _BELIEVED_SECONDS, principal.expires_at + _LEEWAY_SECONDS),
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

    @staticmethod
    async def _key_of(keys: KeySource, kid: Any) -> jwt.PyJWK:
        try:
            # It may fetch over the network, so not in the loop's thread; the fetches are made one by one.
            async with asyncio.timeout(_KEYS_SECONDS):
                return await asyncio.to_thread(_signing_key, keys, kid)
        except TimeoutError as error:
            raise _unavailable(error) from None


def _signing_key(keys: KeySource, kid: Any) -> jwt.PyJWK:
    """The identity provider's key of this id.

    :raises Retry: the provider does not answer, or with something other than usable keys.
    :raises jwt.PyJWKClientError: it has no key of this id.
    """
    try:
        keys.get_signing_keys()
    except Exception as error:  # noqa: BLE001 - whatever the provider answers, it is not the caller's fault
        raise _unavailable(error) from None
    try:
        return keys.get_signing_key(kid)
    except jwt.PyJWKClientError as error:
        # Its only subclass is for a provider that does not answer.
        if isinstance(error, jwt.PyJWKClientConnectionError):
            raise _unavailable(error) from None
        raise
    except Exception as error:  # noqa: BLE001 - the keys are fetched again for an unknown id
        raise _unavailable(error) from None


def _unavailable(error: Exception) -> Retry:
    _log.warning("gateway.keys_unavailable", error=type(error).__name__)
    return Retry("the keys of the identity provider cannot be fetched now; retry shortly", after=5)


def _principal(claims: dict[str, Any]) -> Principal:
    for name in ("tenantId", "organizationId"):
        if not isinstance(claims.get(name), str) or not _UUID.fullmatch(claims[name]):
            raise NeedsAuth(f"the token's claim {name} is missing or not a UUID")
    features = claims.get("features", [])
    if not isinstance(features, list) or len(features) > _MOST_FEATURES:
        raise NeedsAuth("the token's claim features must be a list of names")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 100 or not _storable(subject):
        raise NeedsAuth("the token's claim sub must be a text of 1 to 100 characters")
    expires_at = claims["exp"]
    # RFC 7519, section 2: a NumericDate is a JSON number.
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or expires_at >= _YEAR_10000:
        raise NeedsAuth("the token's claim exp must be a number of seconds before the year 10000")
    return Principal(
        tenant_id=claims["tenantId"].lower(),
        organization_id=claims["organizationId"].lower(),
        subject=subject,
        features=frozenset(name for name in features if isinstance(name, str)),
        expires_at=float(expires_at),
    )


def _storable(text: str) -> bool:
    """Without NUL, which Postgres cannot store, and lone surrogates, which UTF-8 cannot encode."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
