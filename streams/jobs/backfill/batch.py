"""One batch of the backfill: convert a page of legacy rows, publish its creates, map its external links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from domain.legacy_rows import command_id, convert, placeholder, placeholder_ids
from schemas.payloads import CREATE, ENTITY_UPSERT
from sinks.backfill import add_todos, legacy_page, map_links, type_codes
from sinks.columns import LEAST_ID
from sinks.due import server_time
from sinks.jobs.batches import Batch
from sinks.legacy_rows import NOT_TO_MOVE, facts_of
from streams.jobs.backfill.report import Report, count, note_fates, sample
from streams.jobs.backfill.todo_sources import TodoSources
from streams.jobs.commands import JobCommand
from streams.jobs.context import JobContext
from streams.jobs.paced import PacedCommands

if TYPE_CHECKING:
    from sinks.legacy_rows import Kind

Row = dict[str, Any]

#: Rejections that mean that another command has moved the row, or created the placeholder.
_EXISTS: Final = frozenset({"interaction_exists", "version_conflict"})
_MOST_CODES: Final = 5


class BatchFailedError(Exception):
    """The batch is not done. The message is the reason, one sentence without customer text."""


class BatchRunner:
    """Runs batches of one backfill.

    :param sources: where todos that were not imported are looked up.
    """

    def __init__(self, context: JobContext, sources: TodoSources) -> None:
        self._context = context
        self._connection = context.connection
        self._sources = sources
        self._paced = PacedCommands(context)
        self._codes: dict[tuple[str, str], frozenset[str]] = {}
        self._dry = bool(context.job.settings.get("dryRun"))
        self._names: dict[str, str] = context.job.settings.get("integrations", {})

    @property
    def rows(self) -> int:
        """Rows of the next batch."""
        return self._paced.rows

    def pause(self) -> None:
        """Leave the applier to live commands, if there are any."""
        self._paced.pause()

    def read(self, kind: str, after: str, *, last: str | None = None, limit: int) -> list[Row]:
        """Read a page of legacy rows."""
        tenant = self._context.job.tenant_id
        return legacy_page(self._connection, cast("Kind", kind), tenant, after=after, last=last, limit=limit)

    def move(self, batch: Batch, rows: Sequence[Row]) -> Report:
        """Move the rows of a batch that are not moved yet, and return its report.

        :raises TodoSourceError: a source of todos does not answer. Nothing is done.
        :raises BatchFailedError: commands were rejected. Those that were not are done.
        """
        kind = batch.source
        report: Report = {}
        rows = self._with_todos(batch, rows)
        fresh = [row for row in rows if not self._skip(report, kind, row)]
        self._codes.clear()  # a batch reads the dictionaries once
        now = server_time(self._connection)
        conversions = [convert(row, facts_of(row, self._codes_of(row)), now) for row in fresh]
        for row, conversion in zip(fresh, conversions, strict=True):
            note_fates(report, kind, row["id"], conversion.fates)
            note_fates(report, kind, row["id"], dict.fromkeys(row["dropped"], "dropped"))
        if self._dry:
            count(report, kind, "toCreate", by=len(fresh))
            return report
        customers = self._customers(report, fresh)
        commands = {
            command.command_id: (command, row)
            for row, conversion in zip(fresh, conversions, strict=True)
            for command in [
                _command(row, CREATE, customers.get(_customer(row)) or row["entity_id"], conversion.data)
            ]
        }
        refused: dict[str, list[str]] = {}
        for identity, outcome in self._paced.run([command for command, _ in commands.values()]).items():
            code = outcome.code if outcome.outcome == "rejected" else None
            if code is None:
                count(report, kind, "created")
            elif code in _EXISTS:
                count(report, kind, "moved")
            else:
                refused.setdefault(code, []).append(commands[identity][1]["id"])
        self._map(report, rows)
        if refused:
            raise BatchFailedError(_refusal(refused))
        return report

    def _with_todos(self, batch: Batch, rows: Sequence[Row]) -> Sequence[Row]:
        """Look up the todos that were not imported, store them, and read the rows with them."""
        unknown = [row for row in rows if not row["found"] and row["todo_source"] in self._sources]
        if not unknown:
            return rows
        add_todos(self._connection, self._sources.fetch(unknown))
        return self.read(batch.source, batch.after_key or LEAST_ID, last=batch.last_key, limit=batch.rows)

    def _skip(self, report: Report, kind: str, row: Row) -> bool:
        count(report, kind, "rows")
        if row["shared"]:
            count(report, kind, "shared")
        reason = next((name for name in NOT_TO_MOVE if row[name]), None)
        if reason is not None:
            count(report, kind, reason)
            if reason != "moved":
                sample(report, kind, reason, row["id"])
        elif not row["found"]:
            count(report, kind, "notFound")
            sample(report, kind, "notFound", row["id"])
        return reason is not None

    def _codes_of(self, row: Row) -> frozenset[str]:
        scope = row["tenant_id"], row["organization_id"]
        if not row["strict"]:
            return frozenset()
        if scope not in self._codes:
            self._codes[scope] = type_codes(self._connection, *scope)
        return self._codes[scope]

    def _customers(self, report: Report, rows: Sequence[Row]) -> dict[tuple[str, str, str], str]:
        """Create placeholders for unknown customers; return scope and id → id of the placeholder."""
        unknown = {_customer(row): row for row in rows if not row["customer_known"]}
        placed: dict[tuple[str, str, str], str] = {}
        for attempt in (0, 1):
            waiting = {key: row for key, row in unknown.items() if key not in placed}
            commands = {}
            for key, row in waiting.items():
                identity = placeholder_ids(*key)[attempt]
                data = {**placeholder(identity), "expectedVersion": 0}
                commands[_command(row, ENTITY_UPSERT, identity, data).command_id] = key, identity, row, data
            outcomes = self._context.commands.run(
                [_command(row, ENTITY_UPSERT, identity, data) for _, identity, row, data in commands.values()]
            )
            for command, outcome in outcomes.items():
                key, identity, *_ = commands[command]
                if outcome.outcome != "rejected" or outcome.code in _EXISTS:
                    placed[key] = identity
                elif outcome.code != "id_not_available" or attempt == 1:
                    raise BatchFailedError(f"A placeholder for a customer was rejected: {outcome.code}.")
        if placed:
            count(report, "placeholders", by=len(placed))
        return placed

    def _map(self, report: Report, rows: Collection[Row]) -> None:
        moved = [(row["todo_id"] or row["id"], row["id"]) for row in rows]
        made, unresolved = map_links(self._connection, moved, self._names)
        if made:
            count(report, "links", "mapped", by=made)
        if unresolved:
            count(report, "links", "unresolved", by=unresolved)


def _customer(row: Row) -> tuple[str, str, str]:
    return row["tenant_id"], row["organization_id"], row["entity_id"]


def _command(row: Row, kind: str, entity_id: str, data: dict[str, Any]) -> JobCommand:
    generation = row["generation"] if kind == CREATE else 0
    scope = row["tenant_id"], row["organization_id"]
    return JobCommand(
        type=kind,
        command_id=command_id(*scope, entity_id, data, generation),
        tenant_id=scope[0],
        organization_id=scope[1],
        entity_id=entity_id,
        data=data,
    )


def _refusal(refused: dict[str, list[str]]) -> str:
    named = [
        f"{code} ({len(ids)} rows, such as {ids[0]})" for code, ids in list(refused.items())[:_MOST_CODES]
    ]
    return f"Commands were rejected: {', '.join(named)}."
