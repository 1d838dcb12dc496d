"""OpenID Connect: authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1).

Authlib makes the requests and validates the ID token: signature, issuer, audience, times and nonce.
"""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import httpx2
import structlog
from authlib.integrations.starlette_client import OAuth

from api.tokens import ASYMMETRIC, YEAR_10000
from runtime.gateway_settings import GatewaySettings
from schemas.errors import InteractionsError, NeedsAuth, Retry, Stop
from web.sign_in.record import SignInRecord

_log = structlog.get_logger("gateway")
#: Of connecting, and of each read and write.
_TIMEOUT_SECONDS: Final = 5.0
#: Of all requests of one step together: a provider may send its answer one byte at a time.
_STEP_SECONDS: Final = 10.0
_DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Departure:
    """A sign-in that begins: the address at the provider, and the record to remember it by."""

    url: str
    record: SignInRecord


class OidcProvider:
    """The identity provider of the settings. Its metadata is fetched on first use.

    :raises Stop: a setting is missing.
    """

    def __init__(self, gateway: GatewaySettings) -> None:
        secret = gateway.oidc_secret()
        if gateway.oidc_issuer is None or gateway.public_url is None or not secret:
            raise Stop("Sign-in by OpenID Connect is not configured.")
        self._issuer = gateway.oidc_issuer
        self._client_id = gateway.oidc_client_id
        self._secret = secret
        self._public_url = gateway.public_url.rstrip("/")
        self._made: Any = None

    @property
    def redirect_uri(self) -> str:
        """Address to register at the provider."""
        return f"{self._public_url}/signin/callback"

    async def depart(self, next_path: str) -> Departure:
        """Begin a sign-in.

        :raises Retry: the provider is unavailable.
        """
        async with self._client() as client:
            found = await client.create_authorization_url(self.redirect_uri)
        record = SignInRecord(found["state"], found["nonce"], found["code_verifier"], next_path)
        return Departure(found["url"], record)

    async def arrive(self, record: SignInRecord, state: str, code: str) -> dict[str, Any]:
        """Exchange a code; return the claims about the person, from the ID token or the userinfo endpoint.

        :raises NeedsAuth: the state differs, the provider refuses the code, or the ID token is invalid.
        :raises Retry: the provider is unavailable.
        """
        if not hmac.compare_digest(record.state.encode(), state.encode(errors="replace")):
            raise NeedsAuth("This sign-in was not begun in this browser. Sign in from the start.")
        async with self._client() as client:
            try:
                token = await client.fetch_access_token(
                    redirect_uri=self.redirect_uri, code=code, code_verifier=record.verifier
                )
                claims = await client.parse_id_token(token, nonce=record.nonce)
                if not claims:
                    _refuse("no ID token")
                if "tenantId" in claims:
                    return dict(claims)
                more = await client.userinfo(token=token)
            except (InteractionsError, httpx2.HTTPError, TimeoutError):
                raise
            except Exception as error:  # noqa: BLE001 - see _client
                _refuse(type(error).__name__)
        # OpenID Connect Core 1.0, section 5.3.2: claims about another subject must not be used.
        if more.get("sub") != claims["sub"]:
            _refuse("userinfo of another subject")
        return {**more, **claims}

    async def sign_out_url(self) -> str | None:
        """The address that ends the person's session at the provider; ``None`` if it offers none.

        Source: OpenID Connect RP-Initiated Logout 1.0.
        """
        try:
            async with self._client() as client:
                if not client.server_metadata.get("end_session_endpoint"):
                    return None
                back = f"{self._public_url}/signin"
                found = await client.create_logout_url(back, client_id=self._client_id)
        except Retry:
            return None
        return str(found["url"])

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        """The client with the provider's metadata and keys.

        Both are kept until a step fails, and the next step fetches them: one wrong answer of the provider, or
        a key that it replaced without a new id, must not end all sign-ins until a restart.

        :raises Retry: the provider is unavailable.
        """
        client = self._made or self._make()
        try:
            async with asyncio.timeout(_STEP_SECONDS):
                metadata = await client.load_server_metadata()
                if self._made is None:
                    _check_metadata(metadata, self._issuer)
                    self._made = client
                yield client
        except InteractionsError:
            self._made = None
            raise
        except Exception as error:  # noqa: BLE001
            # Hazard: for JSON of another type or a malformed URL, Authlib, joserfc and httpx raise whatever
            # their code runs into: TypeError, AttributeError, InvalidURL.
            self._made = None
            raise _unavailable(type(error).__name__) from None

    def _make(self) -> Any:
        return OAuth().register(
            "oidc",
            client_id=self._client_id,
            client_secret=self._secret,
            server_metadata_url=self._issuer.rstrip("/") + _DISCOVERY,
            client_kwargs={
                "scope": "openid profile",
                "code_challenge_method": "S256",
                "timeout": _TIMEOUT_SECONDS,
                # Hazard: Authlib makes a client per request, and each would load all certificates.
                "verify": httpx2.create_ssl_context(),
            },
        )


def _check_metadata(metadata: dict[str, Any], issuer: str) -> None:
    """Check the discovery document (OpenID Connect Discovery 1.0, section 4.3).

    Hazard: Authlib accepts every algorithm that the document names, ``none`` among them.

    :raises Retry: it belongs to another issuer, or an address is missing.
    """
    if metadata.get("issuer") != issuer:
        raise _unavailable("the discovery document names another issuer")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not _is_address(metadata.get(name)):
            raise _unavailable(f"the discovery document has no {name}")
    if not _is_address(metadata.get("end_session_endpoint")):
        metadata.pop("end_session_endpoint", None)
    offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = [name for name in offered if name in ASYMMETRIC]
    methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if "client_secret_basic" not in methods and "client_secret_post" in methods:
        metadata["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105 - name of a method


def _is_address(found: Any) -> bool:
    return isinstance(found, str) and found.startswith(("https://", "http://"))


def _refuse(reason: str) -> NoReturn:
    _log.warning("gateway.sign_in_refused", reason=reason)
    raise NeedsAuth(
        "The identity provider's answer is not valid, so you are not signed in. Sign in from the start."
    )


def _unavailable(reason: str) -> Retry:
    _log.warning("gateway.sign_in_unavailable", reason=reason)
    return Retry(
        "The identity provider is unavailable, so you are not signed in. Retry in a minute.", after=5
    )


def session_end_of(claims: Mapping[str, Any]) -> float:
    """End of the identity in seconds since the epoch: the claim ``sessionExpiresAt``; infinite without it.

    An ID token's ``exp`` is no such end: it limits the time until the token is used (OpenID Connect Core 1.0,
    section 2), which has happened when the session begins.

    :raises NeedsAuth: the claim is not a number, or no time before the year 10000.
    """
    if "sessionExpiresAt" not in claims:
        return math.inf
    found = claims["sessionExpiresAt"]
    # Hazard: JSON numbers may be beyond a float, and Python reads NaN, which compares as false.
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < YEAR_10000:
        raise NeedsAuth(
            "The claim sessionExpiresAt must be a number of seconds since the epoch, before the year 10000."
        )
    return float(found)
