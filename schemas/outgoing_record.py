"""A record to publish, as applier, relay and connectors hand it to their producers."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Names and values, in the two forms that the client takes. A list can repeat a name.
Headers = dict[str, str | bytes | None] | list[tuple[str, str | bytes | None]]


@dataclass(slots=True)  # not frozen: one is made per result, and a frozen one takes three times as long
class OutgoingRecord:
    """One record for a topic of the catalogue.

    :param topic: catalogue name, without the deployment's prefix.
    :param value: ``None`` is a tombstone.
    """

    topic: str
    key: str | bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=dict)
