"""An OpenID Connect provider in a process of its own, and a browser that signs in at it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.harness.roles import wait_until

SESSION = "__Host-interactions"
RECORD = "__Host-interactions-signin-"


@dataclass(frozen=True)
class IdentityProvider:
    """A running provider. It accepts any client and password."""

    url: str

    def set_user(self, subject: str, **claims: Any) -> None:
        """Create or replace a user."""
        httpx2.put(f"{self.url}/users/{subject}", json=claims).raise_for_status()

    def approve(self, request_url: str, subject: str) -> str:
        """Sign a user in at the provider; return the address to which it sends the browser back."""
        done = httpx2.post(request_url, data={"sub": subject})
        assert done.status_code == 302, done.text[:500]
        return done.headers["location"]

    def deny(self, request_url: str) -> str:
        """Refuse the sign-in at the provider; return the address to which it sends the browser back."""
        done = httpx2.post(request_url, data={"action": "deny"})
        assert done.status_code == 302, done.text[:500]
        return done.headers["location"]


@contextlib.contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Run a provider for the duration of a block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    provider = IdentityProvider(f"http://127.0.0.1:{port}")
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _answers(provider.url), 30)
        yield provider
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/.well-known/openid-configuration").status_code == 200
    except httpx2.TransportError:
        return False


@dataclass
class Browser:
    """Requests of one browser: keeps cookies, follows nothing by itself, and sends what browsers send.

    Client libraries keep cookies marked ``Secure`` from plain HTTP; browsers send them to loopback.
    """

    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    #: ``Set-Cookie`` headers of the last response.
    set_cookies: list[str] = field(default_factory=list)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Open an address; a full one is taken to this browser's gateway."""
        parts = urlsplit(path)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        return self._keep(httpx2.get(self.url + target, headers=self._headers(headers), timeout=30))

    def post(self, path: str, data: dict[str, str], site: str | None = "same-origin") -> httpx2.Response:
        """Send a form.

        :param site: the header ``Sec-Fetch-Site``.
        """
        headers = self._headers({"Sec-Fetch-Site": site} if site is not None else {})
        return self._keep(httpx2.post(self.url + path, data=data, headers=headers, timeout=30))

    def signed_in(self) -> bool:
        """Report whether the gateway recognizes the session: the sign-in page leads a signed-in person on."""
        found = self.get("/signin?next=/backend/marker")
        return found.headers.get("location") == "/backend/marker"

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**({"Cookie": sent} if sent else {}), **more}

    def _keep(self, response: httpx2.Response) -> httpx2.Response:
        self.set_cookies = response.headers.get_list("set-cookie")
        for line in self.set_cookies:
            name, _, value = line.split(";")[0].partition("=")
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return response
