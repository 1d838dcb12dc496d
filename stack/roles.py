"""Role processes of the pipeline, as children of the supervisor."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from runtime.readiness import READY_FILE_VARIABLE, announced_url, has_announced
from runtime.running_stack import Addresses
from runtime.settings import ENV_PREFIX
from schemas.errors import Stop
from stack.child import Child
from stack.gateway_access import GatewayAccess
from stack.home import Home
from stack.server import Launch

ROLES = ("applier", "relay", "timers", "drafts", "watch", "jobs", "gateway", "connectors")


def default_roles() -> str:
    """Return what `interactions up` runs: two appliers where there are two cores.

    The connectors role is opt-in: it is of no use without integrations.
    """
    return f"applier={min(2, os.cpu_count() or 1)},relay,timers,drafts,watch,jobs,gateway"


def parse_roles(text: str) -> dict[str, int]:
    """Parse ``applier=2,relay,timers`` into a count per role; ``none`` or an empty text means no roles.

    :raises Stop: an unknown role, or a count that is not a number from 0 to 32.
    """
    counts: dict[str, int] = {}
    for part in text.split(","):
        role, _, count = (piece.strip() for piece in part.partition("="))
        if role in ("", "none"):
            continue
        if role not in ROLES:
            raise Stop(f"There is no role {role!r}; the roles are {', '.join(ROLES)} (or `none`).")
        if count and (not count.isascii() or not count.isdigit() or int(count) > 32):
            raise Stop(f"{part.strip()!r} needs a count from 0 to 32, as in {role}=2.")
        counts[role] = int(count) if count else 1
    return {role: counts[role] for role in ROLES if counts.get(role)}


def address_environment(addresses: Addresses) -> dict[str, str]:
    """Environment variables with the addresses of the three servers."""
    return {ENV_PREFIX + name.upper(): value for name, value in addresses.model_dump().items()}


def make_role_children(
    home: Home, counts: dict[str, int], addresses: Addresses, access: GatewayAccess | None = None
) -> list[Child]:
    """One child per role process, not started yet."""
    return [
        _role_child(
            home,
            role,
            role if number == 1 else f"{role}-{number}",
            address_environment(addresses)
            | (access.environment(number) if access is not None and role == "gateway" else {}),
        )
        for role, count in counts.items()
        for number in range(1, count + 1)
    ]


def _role_child(home: Home, role: str, name: str, environment: dict[str, str]) -> Child:
    ready_file = home.run / f"{name}.ready"

    def launch() -> Launch:
        ready_file.unlink(missing_ok=True)
        return Launch(
            arguments=[sys.executable, "-m", "cli.main", "run", role],
            folder=Path.cwd(),
            environment={
                **environment,
                f"{ENV_PREFIX}HOME": str(home.root),
                # Several roles share this machine: each takes a free port, which `interactions status` shows.
                f"{ENV_PREFIX}HEALTH_PORT": "0",
                READY_FILE_VARIABLE: str(ready_file),
            },
        )

    def not_ready(pid: int) -> str | None:
        return None if has_announced(ready_file, pid) else "it has not reported that it is ready"

    return Child(
        name=name,
        role=role,
        launch=launch,
        not_ready=not_ready,
        url=lambda: announced_url(ready_file),
        stop_signal=signal.SIGTERM,
        log_file=home.logs / f"{name}.log",
    )
