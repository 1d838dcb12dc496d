"""What an integration needs besides its ledger: polls, signs of life, its webhook, repairs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from connectors.link import Link
from connectors.link_book import Held
from connectors.poller import poll
from connectors.reconciler import look_at_everything, reconcile
from connectors.remote import Health
from connectors.trouble import close_integration
from runtime.postgres import Connection, Outage
from schemas.errors import InteractionsError, NeedsAuth, Stop
from sinks.sync_integrations import read_integration, set_health
from sinks.sync_receipts import received_since

_log = structlog.get_logger("connectors")
_HEALTH_SECONDS: Final = 120.0
_WEBHOOK_SECONDS: Final = 300.0
_RECONCILE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 6 * 3600.0
#: Polls are ten times as rare where webhooks are known to arrive.
_WITH_WEBHOOKS: Final = 10.0
#: How long one verified delivery shows that webhooks arrive.
_HEARD: Final = timedelta(days=1)


def do_chores(held: Held, connection: Connection, scale: float) -> None:
    """Do what is due; a chore that fails is done again later and stops nothing.

    :param scale: factor on the pauses between polls.
    """
    link = held.opened.link
    for name, seconds, chore in _chores(link, scale):
        now = link.now()
        if name not in held.due and name == "look":
            held.due[name] = now + timedelta(seconds=seconds)
        if held.due.get(name, now) > now:
            continue
        rarity = _WITH_WEBHOOKS if name == "poll" and _heard(link, connection) else 1.0
        held.due[name] = now + timedelta(seconds=seconds * rarity)
        try:
            chore(link, connection)
        except Outage:
            raise
        except (NeedsAuth, Stop) as error:
            close_integration(connection, link, error)
        except InteractionsError as error:
            _failed(link, name, error)
        except Exception as error:  # noqa: BLE001 - a defect of one provider must not stop the others
            _failed(link, name, error)


def _chores(link: Link, scale: float) -> list[tuple[str, float, Callable[[Link, Connection], object]]]:
    features = link.declaration.features
    chores: list[tuple[str, float, Callable[[Link, Connection], object]]] = [
        ("reconcile", _RECONCILE_SECONDS * scale, reconcile),
        ("health", _HEALTH_SECONDS, check_health),
    ]
    hears = "webhooks" in features and link.hears
    if hears:
        chores.append(("webhook", _WEBHOOK_SECONDS, lambda link, _: link.provider.keep_webhook()))
    if "poll" in features:
        chores.append(("poll", link.declaration.poll_seconds * scale, poll))
        chores.append(("look", _LOOK_SECONDS * scale, look_at_everything))
    return chores


def _heard(link: Link, connection: Connection) -> bool:
    """Report whether a delivery with a good signature arrived lately: a registered webhook proves nothing."""
    return link.hears and received_since(connection, link.integration.id, link.now() - _HEARD)


def check_health(link: Link, connection: Connection) -> None:
    """Ask for a sign of life and note the answer; a refusal of credentials pauses the integration."""
    try:
        health = link.provider.health()
    except (NeedsAuth, Stop):
        set_health(connection, link.integration.id, False, "the credentials are refused", link.now())
        raise
    except InteractionsError as error:
        health = Health(ok=False, detail=str(error))
    known = read_integration(connection, link.integration.id)
    if known is not None and known.healthy is not None and known.healthy != health.ok:
        link.announce("health_changed", link.integration, None, {"healthy": health.ok})
    set_health(connection, link.integration.id, health.ok, health.detail, link.now())


def _failed(link: Link, chore: str, error: Exception) -> None:
    _log.warning(
        "connectors.chore_failed",
        integration=link.integration.id,
        tenant=link.integration.tenant_id,
        organization=link.integration.organization_id,
        chore=chore,
        reason=type(error).__name__,
    )
