"""Signals of logged interactions: promises, questions and risks; some are skipped or resolved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from examples.week.sample import Sample, new_id

if TYPE_CHECKING:
    from examples.week.customer import Customer

_REVEALED: dict[str, tuple[str, ...]] = {
    "promise": ("Send the price list", "Confirm the delivery date", "Send two references"),
    "question": ("Can the order be split?", "Is there a smaller size?", "Who signs the agreement?"),
    "risk": ("They compare another offer", "The last delivery came late"),
}
_ENDS = ("customers.signal.skip", "customers.signal.resolve")


def reveal(customer: Customer, interaction_id: str, made_at: datetime) -> None:
    """Record a signal of an interaction; skip or resolve some."""
    rng = customer.rng
    kind = rng.choice(list(_REVEALED))
    identity = new_id(rng)
    data = {"id": identity, "interactionId": interaction_id, "kind": kind}
    title = rng.choice(_REVEALED[kind])
    customer.send(made_at, "signal.record", {**data, "title": title, "confidence": rng.randrange(50, 101, 5)})
    # A company has no person to write to.
    fate = rng.choice(("wait", "resolve", "skip") if customer.person else ("wait", "wait", "skip"))
    if fate == "skip":
        customer.send(customer.after(made_at), "signal.skip", {"id": identity, "reason": "Settled on site"})
    elif fate == "resolve":
        wish = {"id": identity, "channel": rng.choice(("email", "text", "call"))}
        customer.send(customer.after(made_at), "signal.resolve", wish)


def open_promise(customer: Customer, interaction_id: str, made_at: datetime) -> None:
    """Record a promise to a person, and leave it open."""
    data = {"interactionId": interaction_id, "kind": "promise", "title": "Send the price list"}
    customer.send(made_at, "signal.record", {"id": new_id(customer.rng), **data, "confidence": 90})


def open_signal_of_a_person(week: Sequence[Sample]) -> Sample:
    """Return the last recorded signal that stays open and has a person to write to."""
    events: list[dict[str, Any]] = [sample.event for sample in week if sample.outcome == "applied"]
    ended = {event["data"]["id"] for event in events if event["type"] in _ENDS}
    people = {
        event["entityid"]
        for event in events
        if event["type"] == "customers.entity.upsert" and event["data"]["kind"] == "person"
    }
    return next(
        sample
        for sample in reversed(week)
        if sample.event["type"] == "customers.signal.record"
        and sample.outcome == "applied"
        and sample.event["entityid"] in people
        and sample.event["data"]["id"] not in ended
    )
