"""Every write of the gateway: publish the command, wait for its outcome, answer only then (laws 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import uuid4

import orjson
import structlog

from api.command_producer import Settled
from api.pending_replies import PendingReplies, Sender
from api.principal import Principal
from api.problems import UnknownOutcome
from api.queries.command_status import command_status
from api.read_pool import ReadPool
from schemas.avro_codec import AvroDecoder
from schemas.errors import FieldError, InteractionsError, Reject, Retry
from schemas.identity import derive_id, escaped
from schemas.sources import GATEWAY

_log = structlog.get_logger("gateway")
#: At most this share of the time for an outcome, and this many seconds, are kept for a look into the log.
_LOOK_UP_SHARE: Final = 0.2
_LOOK_UP_SECONDS: Final = 2.0
#: Code of the warning, and of the problem, that a newer change of a field is stored already.
SUPERSEDED: Final = "superseded"


class Told(Protocol):
    """An outcome that was heard of: a result of the topic, or a notice of the database."""

    @property
    def correlation_id(self) -> str | None:
        """What the sender of the command gave."""
        ...

    @property
    def value(self) -> bytes:
        """The result as Confluent Avro."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """One command to carry out.

    :param kind: the command type without ``customers.``, such as ``interaction.create``.
    :param entity_id: the record key: it decides the partition.
    :param data: JSON as the command's payload model takes it.
    :param idempotency_key: as the client gave it; with principal and route it makes the command id.
    :param route: what the key is bound to besides the principal.
    :param expected_version: optimistic lock, checked by the applier in its transaction.
    :param resource_id: what it is about, for mutation guards, where ``data`` does not say it.
    """

    principal: Principal
    kind: str
    entity_id: str
    data: dict[str, Any]
    idempotency_key: str | None = None
    route: str = ""
    expected_version: int | None = None
    resource_id: str | None = None
    command_id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def id(self) -> str:
        """The command id: the same for the same key, principal and route."""
        if self.idempotency_key is None:
            return self.command_id
        return keyed_command_id(self.principal, self.route, self.idempotency_key)


def keyed_command_id(principal: Principal, route: str, key: str) -> str:
    """The id of the command that a request with this ``Idempotency-Key`` stands for."""
    return derive_id(
        "http",
        principal.tenant_id,
        principal.organization_id,
        escaped(principal.subject),
        route,
        escaped(key),
    )


class CommandGateway:
    """Publishes commands and finds their outcomes among all that the listener hears.

    Each attempt has a correlation id of its own, so an answer can only be its own: also when the same
    command id is on its way twice.

    :param listening: whether outcomes are heard; before, nothing is sent.
    :param timeout: seconds until an outcome counts as unknown, the last look into the log included.
    """

    def __init__(
        self,
        sender: Sender,
        decoder: AvroDecoder,
        reads: ReadPool,
        *,
        listening: Callable[[], bool],
        timeout: float,
    ) -> None:
        self._sender = sender
        self._decoder = decoder
        self._reads = reads
        self._look_up_seconds = min(_LOOK_UP_SECONDS, timeout * _LOOK_UP_SHARE)
        self._asking: PendingReplies[dict[str, Any] | None] = PendingReplies(
            listening=listening, timeout=timeout - self._look_up_seconds
        )
        self._under_way: set[tuple[str, str, str]] = set()

    async def execute(self, order: CommandRequest) -> dict[str, Any]:
        """The result (``schemas.outcomes.FirstOutcome``) of a command that was committed.

        For a repeated command it is the first result.

        :raises Reject: the command was rejected, or all of it is older than what is stored
            (``superseded``); nothing was changed.
        :raises Retry: the broker did not take it (503).
        :raises UnknownOutcome: it was sent, and its outcome did not come in time (504).
        """
        self._asking.require_listening()
        name = order.principal.tenant_id, order.principal.organization_id, order.id
        if name in self._under_way:
            raise Reject(
                "in_flight", "a request with this Idempotency-Key is still being carried out", status=409
            )
        self._under_way.add(name)
        try:
            result = await self._ask(order)
        finally:
            self._under_way.discard(name)
        return _settle(order, result)

    async def _ask(self, order: CommandRequest) -> dict[str, Any]:
        def send(correlation: str, settled: Settled) -> None:
            value, headers = orjson.dumps(order.data), _headers(order, correlation)
            self._sender.send(order.entity_id, value, headers, settled)

        try:
            result = await self._asking.ask(send)
        except TimeoutError:
            result = None
        return result if result is not None else await self._look_up(order)

    async def _look_up(self, order: CommandRequest) -> dict[str, Any]:
        """The committed row is the truth: the result may be late, or unreadable here."""
        try:
            async with self._reads.connection(self._look_up_seconds) as connection:
                fate = await command_status(connection, order.principal.scope, order.id)
        except Retry:
            fate = None
        if fate is None:
            raise UnknownOutcome(order.id)
        return fate.result

    def heard(self, items: Iterable[Told]) -> None:
        """Wake those who wait for one of these outcomes, in whatever thread; the first to tell counts."""
        for item in items:
            if self._asking.waits(item.correlation_id):
                self._asking.tell(item.correlation_id, self._decode(item))

    def _decode(self, item: Told) -> dict[str, Any] | None:
        try:
            return self._decoder.decode(item.value)[1]
        except InteractionsError as error:
            _log.warning("gateway.result_unreadable", reason=str(error))
            return None


def _settle(order: CommandRequest, result: dict[str, Any]) -> dict[str, Any]:
    if result["outcome"] == "duplicate" and result.get("first") is not None:
        result = result["first"]
    problem = result.get("problem")
    if result["outcome"] == "rejected" and problem is not None:
        raise Rejection(problem, order)
    lost = fields_that_lost(result)
    if result["outcome"] == "no_op" and lost:
        raise _superseded(lost)
    return result


def fields_that_lost(result: dict[str, Any]) -> list[str]:
    """The fields whose stored value is newer than the command, so that they were left (last write wins)."""
    return [warning["field"] for warning in result.get("warnings") or () if warning["code"] == SUPERSEDED]


def _superseded(lost: list[str]) -> Reject:
    detail = "was changed later by another source than this change was made"
    return Reject(
        SUPERSEDED,
        "nothing was changed: what is stored is newer than this change; read it again",
        status=409,
        errors=tuple(FieldError(SUPERSEDED, detail, f"/{name}") for name in lost),
    )


class Rejection(Reject):
    """A rejected command as the applier put it.

    :param current_version: with ``version_conflict``: what is stored.
    """

    def __init__(self, problem: dict[str, Any], order: CommandRequest) -> None:
        status = problem["status"]
        if problem["code"] == "idempotency_conflict":
            status = 422  # draft-ietf-httpapi-idempotency-key-header-07, section 2.7
        errors = tuple(
            FieldError(item["code"], item["detail"], item.get("pointer"), item.get("attribute"))
            for item in problem["errors"]
        )
        super().__init__(problem["code"], problem["detail"], status=status, errors=errors)
        self.current_version: int | None = problem.get("currentVersion")
        self.order = order


def _headers(order: CommandRequest, correlation: str) -> list[tuple[str, str | bytes]]:
    principal = order.principal
    headers: list[tuple[str, str | bytes]] = [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", order.id),
        ("ce_source", GATEWAY),
        ("ce_type", f"customers.{order.kind}"),
        ("ce_tenantid", principal.tenant_id),
        ("ce_organizationid", principal.organization_id),
        ("ce_entityid", order.entity_id),
        ("ce_correlationid", correlation),
        ("ce_actorid", principal.subject),
    ]
    if order.expected_version is not None:
        # An attribute, not data: the fingerprint of a repeated request must not depend on what is stored.
        headers.append(("ce_expectedversion", str(order.expected_version)))
    traceparent = structlog.contextvars.get_contextvars().get("traceparent")
    if traceparent is not None:
        headers.append(("traceparent", traceparent))
    return headers
