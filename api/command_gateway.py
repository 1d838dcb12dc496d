"""Publish commands, wait for their results, respond only then (no success without a row; single writer)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import orjson
import structlog

from api.command_producer import DeliveryCallback
from api.pending_replies import PendingReplies, Sender
from api.principal import Principal
from api.problems import UnknownOutcome
from api.queries.command_status import command_status
from api.read_pool import ReadPool
from api.reply_record import ReplyRecord
from schemas.avro_codec import AvroDecoder
from schemas.cloudevent_headers import JSON, event_headers
from schemas.errors import FieldError, InteractionsError, Reject, Retry
from schemas.identity import derive_id, escaped
from schemas.outgoing_record import OutgoingRecord
from schemas.sources import GATEWAY
from schemas.topics import COMMANDS

_log = structlog.get_logger("gateway")
#: Part of the timeout that is reserved for the lookup in the command log: this share, at most these seconds.
_LOOKUP_SHARE: Final = 0.2
_LOOKUP_SECONDS: Final = 2.0
#: Code of the warning, and of the problem, that a newer change of a field is stored already.
SUPERSEDED: Final = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """One command to execute.

    :param kind: the command type without ``customers.``, such as ``interaction.create``.
    :param entity_id: the record key; it decides the partition.
    :param data: JSON, as the command's payload model takes it.
    :param idempotency_key: from the client; with principal and route it determines the command id.
    :param route: the key's scope besides the principal.
    :param expected_version: optimistic lock, checked by the applier in its transaction.
    :param resource_id: the resource, for mutation guards, if ``data`` does not name it.
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
    """The command id of a request with this ``Idempotency-Key``."""
    return derive_id(
        "http",
        principal.tenant_id,
        principal.organization_id,
        escaped(principal.subject),
        route,
        escaped(key),
    )


class CommandGateway:
    """Publishes commands and matches results to them by correlation id.

    Each attempt has its own correlation id, so it receives its own result only, even while the same command
    id is in flight twice.

    :param connected: returns whether results are being consumed. Nothing is sent before.
    :param timeout: seconds until an outcome is unknown, including the final lookup in the command log.
    """

    def __init__(
        self,
        sender: Sender,
        decoder: AvroDecoder,
        reads: ReadPool,
        *,
        connected: Callable[[], bool],
        timeout: float,
    ) -> None:
        self._sender = sender
        self._decoder = decoder
        self._reads = reads
        self._lookup_seconds = min(_LOOKUP_SECONDS, timeout * _LOOKUP_SHARE)
        self._seconds = timeout - self._lookup_seconds
        self._replies: PendingReplies[dict[str, Any] | None] = PendingReplies(
            connected=connected, timeout=self._seconds
        )
        self._in_flight: set[tuple[str, str, str]] = set()

    async def execute(self, command: CommandRequest) -> dict[str, Any]:
        """Publish a command and return its result (``schemas.outcomes.FirstOutcome``) once it is committed.

        A repeated command gets its first result.

        :raises Reject: the command was rejected, or all of it is older than the stored row
            (``superseded``). Nothing was changed.
        :raises Retry: the broker did not accept it (503).
        :raises UnknownOutcome: it was sent, and its result did not arrive in time (504).
        """
        self._replies.require_connected()
        identity = command.principal.tenant_id, command.principal.organization_id, command.id
        if identity in self._in_flight:
            raise _in_flight()
        self._in_flight.add(identity)
        try:
            result = await self._request(command)
        finally:
            self._in_flight.discard(identity)
        return _first_result(result)

    @contextmanager
    def answer(self, correlation_id: str) -> Iterator[Callable[[], Awaitable[None]]]:
        """Watch for the result of a later command that answers the one executed in this block.

        The block gets a function that waits for the result. It returns once the result is committed, or when
        the timeout that began with the block is over: read the rows to learn which.

        :param correlation_id: of the answering command.
        :raises Reject: a request with the same command is still being executed (``in_flight``).
        """
        if self._replies.is_pending(correlation_id):
            raise _in_flight()
        deadline = asyncio.get_running_loop().time() + self._seconds
        with self._replies.expected(correlation_id) as reply:

            async def wait() -> None:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(deadline):
                        await reply

            yield wait

    async def _request(self, command: CommandRequest) -> dict[str, Any]:
        def send(correlation_id: str, on_delivery: DeliveryCallback) -> None:
            self._sender.send(_record(command, correlation_id), on_delivery)

        try:
            result = await self._replies.request(send)
        except TimeoutError:
            result = None
        return result if result is not None else await self._look_up(command)

    async def _look_up(self, command: CommandRequest) -> dict[str, Any]:
        """Read the result from the command log: the record may be late, or undecodable here."""
        try:
            async with self._reads.connection(self._lookup_seconds) as connection:
                status = await command_status(connection, command.principal.scope, command.id)
        except Retry:
            status = None
        if status is None:
            raise UnknownOutcome(command.id)
        return status.result

    def on_results(self, records: Iterable[ReplyRecord]) -> None:
        """Resolve the pending requests of these results. Callable from any thread."""
        for record in records:
            if self._replies.is_pending(record.correlation_id):
                self._replies.resolve(record.correlation_id, self._decode(record))

    def _decode(self, record: ReplyRecord) -> dict[str, Any] | None:
        try:
            return self._decoder.decode(record.value)[1]
        except InteractionsError as error:
            _log.warning("gateway.result_unreadable", reason=str(error))
            return None


def _in_flight() -> Reject:
    text = "A request with this Idempotency-Key is still being executed."
    return Reject("in_flight", text, status=409)


def _first_result(result: dict[str, Any]) -> dict[str, Any]:
    """Unwrap a duplicate's first result, and raise what the result refuses."""
    if result["outcome"] == "duplicate" and result.get("first") is not None:
        result = result["first"]
    problem = result.get("problem")
    if result["outcome"] == "rejected" and problem is not None:
        raise Rejection(problem)
    fields = superseded_fields(result)
    if result["outcome"] == "no_op" and fields:
        raise _superseded(fields)
    return result


def superseded_fields(result: dict[str, Any]) -> list[str]:
    """Fields that were not written because the stored value is newer (last write wins)."""
    return [warning["field"] for warning in result.get("warnings") or () if warning["code"] == SUPERSEDED]


def _superseded(fields: list[str]) -> Reject:
    detail = "was changed by another source after this change was made"
    return Reject(
        SUPERSEDED,
        "Nothing was changed: the stored values are newer than this change. Read the record again.",
        status=409,
        errors=tuple(FieldError(SUPERSEDED, detail, f"/{name}") for name in fields),
    )


class Rejection(Reject):
    """A command that the applier rejected.

    :param current_version: with ``version_conflict``: the stored version.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        status = problem["status"]
        if problem["code"] == "idempotency_conflict":
            status = 422  # draft-ietf-httpapi-idempotency-key-header-07, section 2.7
        errors = tuple(
            FieldError(item["code"], item["detail"], item.get("pointer"), item.get("attribute"))
            for item in problem["errors"]
        )
        super().__init__(problem["code"], problem["detail"], status=status, errors=errors)
        self.current_version: int | None = problem.get("currentVersion")


def _record(command: CommandRequest, correlation_id: str) -> OutgoingRecord:
    principal, expected = command.principal, command.expected_version
    headers = event_headers(
        JSON,
        id=command.id,
        source=GATEWAY,
        type=f"customers.{command.kind}",
        tenantid=principal.tenant_id,
        organizationid=principal.organization_id,
        entityid=command.entity_id,
        correlationid=correlation_id,
        actorid=principal.subject,
        # An attribute, not data: the fingerprint of a repeated request must not depend on stored versions.
        expectedversion=str(expected) if expected is not None else None,
        traceparent=structlog.contextvars.get_contextvars().get("traceparent"),
    )
    return OutgoingRecord(COMMANDS, command.entity_id, orjson.dumps(command.data), headers)
