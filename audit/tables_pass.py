"""Compare the tables with the fold, and the projection with the interactions (A2, A3, A5, A10)."""

from __future__ import annotations

from typing import Any, Final

from audit.entity_state import Key, next_key
from audit.event_pass import Events
from audit.findings import Report
from audit.fold import Fold
from audit.history import History, Row
from audit.instants import micros
from audit.interaction_tuple import SHAPE, Interaction, differences, from_row
from audit.record_images import KINDS, image_of_row, key_of_row, owner_of_row, state_of_row

_ENTITY: Final = {
    "kind": "kind",
    "display_name": "displayName",
    "primary_email": "primaryEmail",
    "primary_phone": "primaryPhone",
    "owner_user_id": "ownerUserId",
}
_NEXT: Final = ("next_interaction_ref_id", "next_interaction_at", "next_interaction_name",
                "next_interaction_icon", "next_interaction_color")  # fmt: skip
_LAST: Final = ("last_interaction_ref_id", "last_interaction_at", "last_interaction_name")
_COUNTS: Final = ("open_count", "overdue_count", "done_count")
Entry = tuple[str, str | None, str | None, bool]


class Recount:
    """Projection of one entity, recomputed from its interactions."""

    __slots__ = ("counts", "last", "next", "place", "scopes")

    def __init__(self) -> None:
        self.counts = [0, 0, 0]
        self.scopes: set[tuple[str, str]] = set()
        self.next: Interaction | None = None
        self.place: Key | None = None
        self.last: Interaction | None = None

    def add(self, row: Interaction) -> None:
        """Count one interaction."""
        self.scopes.add((row.tenant, row.organization))
        if row.status == "planned":
            self.counts[0] += 1
            self.counts[1] += row.due_phase == 2
        elif row.status == "done":
            self.counts[2] += 1
            if row.occurred is not None and (self.last is None or _recency(row) > _recency(self.last)):
                self.last = row
        place = next_key(row)
        if place is not None and (self.place is None or place < self.place):
            self.next, self.place = row, place


def _recency(row: Interaction) -> tuple[int, int, str]:
    assert row.occurred is not None
    return row.occurred, row.created, row.id


class Tables:
    """Table contents that the state topics must match.

    :ivar shapes: hash of each interaction, by id.
    :ivar next: hash of each entity's next interaction, if any.
    :ivar signals, drafts: hash of each row, by id; ``child_owners``: customer of each.
    :ivar scopes: tenant and organization of each customer.
    """

    def __init__(self) -> None:
        self.shapes: dict[str, int] = {}
        self.owners: dict[str, str] = {}
        self.next: dict[str, int] = {}
        self.signals: dict[str, int] = {}
        self.drafts: dict[str, int] = {}
        self.child_owners: dict[str, str] = {}
        self.scopes: dict[str, tuple[str, str]] = {}
        self.versions: dict[str, int] = {}
        #: Kind → key → image of the state of a customer, deal or dictionary entry.
        self.records: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        self.record_owners: dict[str, str] = {}
        self.dictionary: dict[tuple[str, str, str], Entry] = {}
        self.recounts: dict[str, Recount] = {}


def read_tables(history: History, fold: Fold, events: Events, report: Report) -> Tables:
    """Compare every row of the snapshot with the fold and the projection with its source rows."""
    tables = Tables()
    for row in history.rows("interaction_types"):
        key = (row["tenant_id"], row["organization_id"], row["code"])
        tables.dictionary[key] = (row["label"], row["icon"], row["color"], row["actionable"])
        _record("interaction_type", row, tables, events, fold, report)
    for row in history.rows("customer_interactions"):
        _interaction(row, tables, fold, events, report)
    for row in history.rows("customer_entities"):
        _entity(row, tables, fold, events, report)
        _record("entity", row, tables, events, fold, report)
    for row in history.rows("customer_deals"):
        _deal(row, fold, report)
        _record("deal", row, tables, events, fold, report)
    _missing_rows(tables, fold, events, report)
    return tables


def _record(kind: str, row: Row, tables: Tables, events: Events, fold: Fold, report: Report) -> None:
    """Compare a customer, deal or dictionary entry with its last event, if it has one."""
    key, owner = key_of_row(kind, row), owner_of_row(kind, row)
    tables.records[kind][key] = state_of_row(kind, row)
    tables.record_owners[key] = owner
    shown = events.records.get((kind, key))
    if shown is None or owner in fold.inputs.publications.entities:
        return
    report.checks["A4"].checked += 1
    if shown != image_of_row(kind, row):
        report.checks["A4"].fail("the row is not the after of its last event", kind=kind, key=key)


def _interaction(row: Row, tables: Tables, fold: Fold, events: Events, report: Report) -> None:
    a2, a4, a5 = report.checks["A2"], report.checks["A4"], report.checks["A5"]
    theirs = from_row(row)
    where = {"table": "customer_interactions", "id": theirs.id, "entityId": theirs.entity}
    image = hash(tuple(theirs[:SHAPE]))
    tables.shapes[theirs.id] = image
    tables.owners[theirs.id] = theirs.entity
    found = fold.inputs.results.saved.found
    found("interaction", theirs.id, theirs.entity, theirs.version, report.checks["A14"])
    tables.recounts.setdefault(theirs.entity, Recount()).add(theirs)
    link = events.last_events.get((theirs.id, theirs.entity))
    if theirs.entity not in fold.inputs.publications.entities and (link is not None or events.oldest is None):
        a4.checked += 1
        if link is None or link.after != image:
            place = f" ({link.partition}:{link.offset})" if link else ""
            a4.fail(f"the row is not the after of its last event{place}", **where)
    state = fold.model.entities.get(theirs.entity)
    if state is not None and state.partial:
        return
    a2.checked += 1
    a5.checked += 1
    ours = state.rows.pop(theirs.id, None) if state else None
    if ours is None:
        if state is not None or not fold.inputs.commands_truncated:
            a5.fail("an interaction that no applied command made", **where)
    elif ours != theirs:
        a2.fail(f"differs from the fold in {differences(ours, theirs)}", **where)


def _entity(row: Row, tables: Tables, fold: Fold, events: Events, report: Report) -> None:
    a2, a3, a4, a10 = (report.checks[name] for name in ("A2", "A3", "A4", "A10"))
    where = {"table": "customer_entities", "id": row["id"]}
    state = fold.model.entities.get(row["id"])
    if state is None:
        if not fold.inputs.commands_truncated:
            a2.fail("an entity that no applied command made", **where)
    elif not state.partial:
        a2.checked += 1
        a10.checked += 1
        if (state.tenant, state.organization) != (row["tenant_id"], row["organization_id"]):
            a10.fail("an entity is in another scope than its commands", **where)
        wrong = [column for column, name in _ENTITY.items() if row[column] != state.fields.get(name)]
        if row["entity_version"] != state.version:
            wrong.append(f"entity_version ({row['entity_version']}, the fold says {state.version})")
        if micros(row["created_at"]) != state.created:
            wrong.append("created_at")
        if wrong:
            a2.fail(f"differs from the fold in {', '.join(wrong)}", **where)
        state.fields["found"] = True
    a3.checked += 1
    recount = tables.recounts.pop(row["id"], None) or Recount()
    _scope_of_rows(row, recount, report)
    found = _projected(row)
    for columns, due, label in _due(recount, tables):
        wrong = [name for name in columns if found[name] != due[name]]
        if wrong and label and row["id"] in fold.unrepaired | fold.inputs.publications.entities:
            wrong = [name for name in wrong if not name.endswith(("_name", "_icon", "_color"))]
            a3.lag += 1
        if wrong:
            a3.fail(f"{', '.join(wrong)} is not what the interactions give", **where)
    at = found["next_interaction_at"]
    following = 0 if at is None else hash(tuple(found[name] for name in _NEXT))
    tables.versions[row["id"]] = row["entity_version"]
    tables.scopes[row["id"]] = row["tenant_id"], row["organization_id"]
    if following:
        tables.next[row["id"]] = following
    if row["id"] not in fold.inputs.publications.entities and (
        row["id"] in events.next or events.oldest is None
    ):
        a4.checked += 1
        if events.next.get(row["id"], 0) != following:
            a4.fail("the projection is not the next of the last next_interaction.updated", **where)


def _projected(row: Row) -> dict[str, Any]:
    found = {name: row[name] for name in (*_NEXT, *_LAST, *_COUNTS)}
    for name in ("next_interaction_at", "last_interaction_at"):
        found[name] = micros(found[name])
    return found


def _due(recount: Recount, tables: Tables) -> list[tuple[tuple[str, ...], dict[str, Any], bool]]:
    """Expected values per group of projection columns, and whether labels are part of the group."""
    following, last = recount.next, recount.last
    entry = _entry(tables, following)
    return [
        (
            _NEXT,
            dict(
                zip(
                    _NEXT,
                    (
                        following.id,
                        following.scheduled,
                        _name(following, entry),
                        following.icon if following.icon is not None else (entry[1] if entry else None),
                        following.color if following.color is not None else (entry[2] if entry else None),
                    )
                    if following
                    else (None,) * 5,
                    strict=True,
                )
            ),
            True,
        ),
        (
            _LAST,
            dict(
                zip(
                    _LAST,
                    (last.id, last.occurred, _name(last, _entry(tables, last))) if last else (None,) * 3,
                    strict=True,
                )
            ),
            True,
        ),
        (_COUNTS, dict(zip(_COUNTS, recount.counts, strict=True)), False),
    ]


def _entry(tables: Tables, row: Interaction | None) -> Entry | None:
    return tables.dictionary.get((row.tenant, row.organization, row.type)) if row else None


def _name(row: Interaction, entry: Entry | None) -> str:
    """Display name: the type's label, otherwise the title, otherwise the type's code."""
    if entry is not None:
        return entry[0]
    return row.title or row.type


def _scope_of_rows(row: Row, recount: Recount, report: Report) -> None:
    report.checks["A10"].checked += 1
    if recount.scopes - {(row["tenant_id"], row["organization_id"])}:
        report.checks["A10"].fail("an interaction is in another scope than its entity", entityId=row["id"])


def _deal(row: Row, fold: Fold, report: Report) -> None:
    a2 = report.checks["A2"]
    where = {"table": "customer_deals", "id": row["id"], "entityId": row["entity_id"]}
    state = fold.model.entities.get(row["entity_id"])
    if state is None or state.partial:
        if state is None and not fold.inputs.commands_truncated:
            a2.fail("a deal of an entity that no command made", **where)
        return
    a2.checked += 1
    deal = state.deals.pop(row["id"], None)
    if deal is None:
        a2.fail("a deal that no applied command made", **where)
        return
    wrong = [name for name in ("title", "status") if row[name] != deal.get(name)]
    if micros(row["created_at"]) != deal["created"]:
        wrong.append("created_at")
    if wrong:
        a2.fail(f"differs from the fold in {', '.join(wrong)}", **where)
    if (row["tenant_id"], row["organization_id"]) != (state.tenant, state.organization):
        report.checks["A10"].fail("a deal is in another scope than its entity", **where)


def _missing_rows(tables: Tables, fold: Fold, events: Events, report: Report) -> None:
    """Report rows that the fold derived and no table has."""
    a2, a3, a4 = report.checks["A2"], report.checks["A3"], report.checks["A4"]
    for state in fold.model.entities.values():
        if state.partial:
            continue
        if not state.fields.pop("found", False):
            a2.fail("an entity was made and is not in the table", entityId=state.id)
        for interaction in state.rows:
            a2.fail("an interaction was made and is not in the table", id=interaction, entityId=state.id)
        for deal in state.deals:
            a2.fail("a deal was made and is not in the table", id=deal, entityId=state.id)
    for entity in tables.recounts:
        a3.fail("interactions of an entity that is not in the table", entityId=entity)
    for (interaction, entity), link in events.last_events.items():
        if entity in fold.inputs.publications.entities:
            continue  # its deletion may be among the unpublished events
        if link.after and interaction not in tables.shapes:
            a4.fail("the last event shows an interaction that has no row", id=interaction,
                    partition=link.partition, offset=link.offset)  # fmt: skip
