"""Compacted state topics: the last value per key must equal the table row (A8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from audit.event_pass import next_image
from audit.findings import Check, Report
from audit.history import History, Record
from audit.interaction_tuple import from_shape
from audit.publication_pass import Publications
from audit.record_images import key_of_shape, owner_of_shape, state_of_shape
from audit.signals import rows as child_rows
from audit.signals.rows import Draft, Signal
from audit.tables_pass import Tables

INTERACTIONS: Final = "customers.interactions.state"
NEXT: Final = "customers.next-interaction.state"
SIGNALS: Final = "customers.signals.state"
DRAFTS: Final = "customers.drafts.state"
#: Topic → kind of record.
_RECORDS: Final = {
    "customers.entities.state": "entity",
    "customers.deals.state": "deal",
    "customers.interaction-types.state": "interaction_type",
}


def check_states(history: History, tables: Tables, publications: Publications, report: Report) -> None:
    """Check the topics as a consumer sees them after compaction."""
    _check(history, INTERACTIONS, tables.shapes, tables.owners, publications, report)
    _check(history, NEXT, tables.next, {}, publications, report)
    for topic, images in ((SIGNALS, tables.signals), (DRAFTS, tables.drafts)):
        _check(history, topic, images, tables.child_owners, publications, report)
    if not history.cut.stored:
        report.note(
            "the relay is still publishing stored customers, deals and types: their states are not checked"
        )
        return
    for topic, kind in _RECORDS.items():
        _check(history, topic, tables.records[kind], tables.record_owners, publications, report)


def _check(
    history: History,
    topic: str,
    rows: Mapping[str, int],
    owners: Mapping[str, str],
    publications: Publications,
    report: Report,
) -> None:
    a8 = report.checks["A8"]
    shown: dict[str, tuple[int, int, int, str]] = {}
    for record in history.records(topic):
        a8.checked += 1
        key = (record.key or b"").decode("utf-8", "replace")
        try:
            image, entity = _image(history, topic, record, key, report)
        except (KeyError, ValueError, TypeError) as error:
            a8.fail(f"a state cannot be read: {type(error).__name__} {error}", record)
            continue
        held = shown.get(key)
        if held is not None and held[1] != record.partition:
            a8.fail("the states of one key lie in two partitions", record, key=key)
        shown[key] = (image, record.partition, record.offset, entity or (held[3] if held else key))
    for key, (image, partition, offset, entity) in shown.items():
        _compare(
            a8, topic, key, image, rows.get(key, 0), entity in publications.entities, (partition, offset)
        )
    for key, image in rows.items():
        if key not in shown:
            _compare(a8, topic, key, 0, image, owners.get(key, key) in publications.entities, None)


def _image(history: History, topic: str, record: Record, key: str, report: Report) -> tuple[int, str]:
    """Hash of the value (0: tombstone) and its entity id, if known."""
    if record.value is None:
        return 0, ""
    value = history.decode(record.value)
    a10 = report.checks["A10"]
    a10.checked += 1
    headers = {name: (text or b"").decode("utf-8", "replace") for name, text in record.headers}
    for header, member in (("ce_tenantid", "tenantId"), ("ce_organizationid", "organizationId")):
        if header in headers and headers[header] != value[member]:
            a10.fail(f"a state's {header} is not its value's {member}", record, key=key)
    kind, own = _RECORDS.get(topic), value["entityId"] if topic == NEXT else value.get("id")
    identity = own if kind is None else key_of_shape(kind, value)
    if key != identity:
        report.checks["A8"].fail("a state's key is not the id of its value", record, key=key)
    if kind is not None:
        return state_of_shape(kind, value), owner_of_shape(kind, value)
    if topic == INTERACTIONS:
        return hash(from_shape(value)), value["entityId"]
    if topic == SIGNALS:
        return hash(child_rows.from_shape(Signal, value)), value["entityId"]
    if topic == DRAFTS:
        return hash(child_rows.from_shape(Draft, value)), value["entityId"]
    return next_image(value.get("next")), value["entityId"]


def _compare(
    a8: Check, topic: str, key: str, shown: int, held: int, lags: bool, place: tuple[int, int] | None
) -> None:
    if shown == held:
        return
    if lags:
        a8.lag += 1
        return
    where: dict[str, object] = {"topic": topic, "key": key}
    if place is not None:
        where |= {"partition": place[0], "offset": place[1]}
    if not held:
        a8.fail("the topic still shows what the tables no longer hold: a tombstone is missing", **where)
    elif not shown:
        a8.fail("the tables hold what the topic does not show", **where)
    else:
        a8.fail("the topic's last value is not the table's", **where)
