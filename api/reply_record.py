"""A reply to a request of the gateway, from a topic or by NOTIFY."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRecord:
    """One result or integration event. Its value is still encoded.

    A NOTIFY carries the correlation id and the value only. It has no position.

    :param correlation_id: the ``ce_correlationid`` of the command; matches a reply to its request.
    :param value: Confluent Avro, or JSON for integration events of earlier versions.
    :param outcome: the ``ce_outcome`` header, such as ``applied``.
    :param partition: of the topic, plus the consumer's ``first_partition``. With ``offset`` it is a position
        in an event stream.
    :param fresh: published after the consumer started. Older records serve the resumption of streams only.
    """

    correlation_id: str | None
    value: bytes
    outcome: str | None = None
    tenant_id: str | None = None
    organization_id: str | None = None
    partition: int = -1
    offset: int = -1
    fresh: bool = True
