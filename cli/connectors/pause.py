"""``interactions connectors pause`` and ``resume``."""

from __future__ import annotations

from cli.connectors.common import Id, database, get_integration
from cli.console import console
from schemas.errors import Stop


def pause(identity: Id) -> None:
    """Pause an integration; changes accumulate and nothing is lost."""
    _set_state(identity, "paused", "paused by a person")


def resume(identity: Id) -> None:
    """Resume a paused integration."""
    from connectors.store.integrations import read_integration
    from connectors.store.warnings import close_warnings_of_kind

    with database() as connection:
        integration = read_integration(connection, identity)
        if integration is not None and integration.state == "needs_confirmation":
            raise Stop(
                f"{identity} needs a confirmation before it can run: {integration.state_reason}."
                " Nothing was changed."
            )
        close_warnings_of_kind(connection, identity, ["auth", "disabled"])
    _set_state(identity, "active", None)


def _set_state(identity: str, state: str, reason: str | None) -> None:
    from connectors.store.integrations import set_state

    with database() as connection:
        get_integration(connection, identity)
        changed = set_state(connection, identity, state, reason)
    console().print(f"{identity} is {'' if changed else 'already '}{state}.")
