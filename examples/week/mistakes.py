"""The invalid commands of the week: one function per kind, each with the expected error code."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from examples.week.customer import Customer, Known
from examples.week.sample import instant, new_id

#: ``(customer, moment, another tenant's customer)``; adds one invalid command to the customer.
Mistake = Callable[[Customer, datetime, Customer], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of mistake, and the status of the interaction that it needs, if any."""

    make: Mistake
    needs: str | None = None


def _known(customer: Customer, status: str) -> Known:
    return next(known for known in customer.interactions if known.status == status)


def _create(customer: Customer, moment: datetime, code: str, **data: Any) -> None:
    good = {"interactionType": "call", "title": "Call about the renewal"}
    customer.send(moment, "interaction.create", {**good, **data}, "rejected", code)


def _invalid(**data: Any) -> Kind:
    """Data that violates a field's rule."""
    return Kind(lambda customer, moment, _: _create(customer, moment, "validation_failed", **data))


def _illegal(verb: str, status: str, code: str) -> Kind:
    """A transition that the lifecycle does not allow."""

    def make(customer: Customer, moment: datetime, _: Customer) -> None:
        data = {"id": _known(customer, status).id}
        customer.send(moment, f"interaction.{verb}", data, "rejected", code)

    return Kind(make, status)


def _unknown_interaction(customer: Customer, moment: datetime, _: Customer) -> None:
    data = {"id": new_id(customer.rng), "title": "Never created"}
    customer.send(moment, "interaction.update", data, "rejected", "interaction_not_found")


def _foreign_interaction(customer: Customer, moment: datetime, other: Customer) -> None:
    data = {"id": other.interactions[0].id}
    customer.send(moment, "interaction.cancel", data, "rejected", "interaction_not_found")


def _unknown_type(customer: Customer, moment: datetime, _: Customer) -> None:
    customer.send(moment, "interaction.archive", {"id": new_id(customer.rng)}, "rejected", "unknown_type")


def _unknown_entity(customer: Customer, moment: datetime, _: Customer) -> None:
    _create(customer, moment, "entity_not_found")
    customer.samples[-1].event["entityid"] = new_id(customer.rng)


def _missing_tenant(customer: Customer, moment: datetime, _: Customer) -> None:
    _create(customer, moment, "missing_attribute")
    del customer.samples[-1].event["tenantid"]


def _future(customer: Customer, moment: datetime, _: Customer) -> None:
    _create(customer, moment, "source_timestamp_in_future")
    customer.samples[-1].event["data"]["sourceTimestamp"] = instant(customer.now + timedelta(days=40))


def _stale_version(customer: Customer, moment: datetime, _: Customer) -> None:
    data = {"id": _known(customer, "planned").id, "title": "Edited twice", "expectedVersion": 90}
    customer.send(moment, "interaction.update", data, "rejected", "version_conflict")


def _reused_command_id(customer: Customer, moment: datetime, _: Customer) -> None:
    first = customer.samples[0].event["id"]
    _create(customer, moment, "idempotency_conflict")
    customer.samples[-1].event["id"] = first


def _unknown_undo(customer: Customer, moment: datetime, _: Customer) -> None:
    data = {"commandId": new_id(customer.rng)}
    customer.send(moment, "interaction.undo", data, "rejected", "undo_not_found")


def _unknown_signal(customer: Customer, moment: datetime, _: Customer) -> None:
    data = {"id": new_id(customer.rng)}
    customer.send(moment, "signal.skip", data, "rejected", "signal_not_found")


KINDS: Final[dict[str, Kind]] = {
    "unknown field": _invalid(colour="red"),
    "text too long": _invalid(title="x" * 501),
    "NUL in a text": _invalid(title="one\x00two"),
    "bad colour": _invalid(appearanceColor="red"),
    "priority out of range": _invalid(priority=101),
    "absurd date": _invalid(scheduledAt="0001-01-01T00:00:00Z"),
    "date without an offset": _invalid(scheduledAt="2026-03-01T09:00:00"),
    "complete a done one": _illegal("complete", "done", "already_done"),
    "cancel a done one": _illegal("cancel", "done", "cancel_done"),
    "complete a canceled one": _illegal("complete", "canceled", "complete_canceled"),
    "cancel a canceled one": _illegal("cancel", "canceled", "already_canceled"),
    "reopen a planned one": _illegal("reopen", "planned", "already_planned"),
    "unknown interaction": Kind(_unknown_interaction),
    "another tenant's interaction": Kind(_foreign_interaction, "other"),
    "unknown command type": Kind(_unknown_type),
    "unknown entity": Kind(_unknown_entity),
    "missing tenant": Kind(_missing_tenant),
    "source clock in the future": Kind(_future),
    "stale version": Kind(_stale_version, "planned"),
    "reused command id": Kind(_reused_command_id),
    "unknown undo": Kind(_unknown_undo),
    "unknown signal": Kind(_unknown_signal),
}
SHARE: Final = 0.02


def make_mistakes(rng: random.Random, customers: list[Customer], total: int) -> None:
    """Append invalid commands to the customers' weeks: every kind at least once, about 2 % in total."""
    names = list(KINDS)
    wanted = names + rng.choices(names, k=max(0, round(total * SHARE) - len(names)))
    for name in wanted:
        kind = KINDS[name]
        for customer in rng.sample(customers, len(customers)):
            other = next((c for c in customers if c.interactions and c.scope != customer.scope), None)
            if kind.needs == "other" and other is None:
                continue
            if kind.needs not in (None, "other") and all(
                k.status != kind.needs for k in customer.interactions
            ):
                continue
            moment = customer.samples[-1].made_at
            kind.make(customer, moment, other or customer)
            break


def unknown_type_in_strict_dictionary(customer: Customer) -> None:
    """Append an unknown type, which the strict tenant's dictionary rejects."""
    moment = customer.samples[-1].made_at
    _create(customer, moment, "unknown_interaction_type", interactionType="Tea ceremony")
