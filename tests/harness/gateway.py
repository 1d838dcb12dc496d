"""A gateway process and an HTTP client for tests, with self-made tokens."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt

from runtime.settings import Settings
from tests.harness.roles import Role, running
from tests.harness.wire import ORGANIZATION, TENANT, new_id

SECRET = "a secret of the tests that is long enough"
USER = "33333333-3333-4333-8333-333333333333"
ALL_FEATURES = (
    "customers.view",
    "customers.create",
    "customers.edit",
    "customers.delete",
    "audit_logs.undo_self",
)


def token(
    *,
    tenant: str = TENANT,
    organization: str = ORGANIZATION,
    user: str = USER,
    features: Sequence[str] = ALL_FEATURES,
    secret: str = SECRET,
    expires_in: float = 3600,
    **claims: Any,
) -> str:
    """Make a bearer token; ``claims`` override the rest, ``None`` omits a claim."""
    members = {
        "sub": user,
        "tenantId": tenant,
        "organizationId": organization,
        "features": features if isinstance(features, str) else list(features),
        "exp": int(time.time() + expires_in),
        **claims,
    }
    return jwt.encode({name: value for name, value in members.items() if value is not None}, secret)


@dataclass(frozen=True)
class Gateway:
    """One running gateway process."""

    role: Role
    url: str

    def client(self, bearer: str | None = None, **claims: Any) -> httpx2.Client:
        """An authenticated client; ``claims`` as in ``token``."""
        given = bearer if bearer is not None else token(**claims)
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30)


@contextlib.contextmanager
def serving(settings: Settings, *, wait_ready: bool = True, **extra: str) -> Iterator[Gateway]:
    """Run a gateway for the duration of a block; ``extra`` are environment variables.

    :param wait_ready: wait until it is ready; otherwise only until it listens.
    """
    environment = {
        "INTERACTIONS_API_PORT": "0",
        "INTERACTIONS_API_JWT_SECRET": SECRET,
        "INTERACTIONS_API_RATE_PER_SECOND": "100000",
        "INTERACTIONS_API_RATE_BURST": "100000",
        **extra,
    }
    with running(settings, "gateway", **environment) as role:
        role.wait_for_log("gateway.serving")
        line = next(line for line in role.log.splitlines() if "gateway.serving" in line)
        gateway = Gateway(role, f"http://127.0.0.1:{json.loads(line)['port']}")
        with httpx2.Client(base_url=gateway.url) as client:
            deadline = time.monotonic() + 30
            while wait_ready and client.get("/readyz").status_code != 200:
                assert time.monotonic() < deadline, role.log[-3000:]
                time.sleep(0.05)
        yield gateway


def new_customer(client: httpx2.Client, settings: Settings, **names: Any) -> str:
    """Create a customer of the tests' tenant by a command."""
    from tests.harness.wire import event, outcomes

    entity = new_id()
    data = {"id": entity, "kind": "person", "displayName": "Erika Mustermann"}
    (result,) = outcomes(settings, [event("entity.upsert", entity, data, **names)])
    assert result["outcome"] == "applied", result
    return entity
