"""Reference model of the rules: plain dicts, everything recomputed, no code shared with ``domain``.

Written from the specification, independently of ``domain``. Only the derivation of ids (RFC 9562 version 5)
is assumed.
"""

from __future__ import annotations

import copy
import uuid
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]

DEFAULTS = {
    "call": ("Call", "phone", "#2563EB"),
    "email": ("Email", "mail", "#0891B2"),
    "meeting": ("Meeting", "users", "#7C3AED"),
    "task": ("Task", "check-square", "#D97706"),
    "follow_up": ("Follow-up", "corner-up-right", "#DB2777"),
    "visit": ("Visit", "map-pin", "#059669"),
    "message": ("Message", "message-circle", "#65A30D"),
    "note": ("Note", "file-text", "#6B7280"),
}
FIELDS = (
    "interactionType",
    "title",
    "body",
    "feedback",
    "scheduledAt",
    "occurredAt",
    "priority",
    "dealId",
    "authorUserId",
    "ownerUserId",
    "appearanceIcon",
    "appearanceColor",
)
INSTANTS = ("scheduledAt", "occurredAt")
GUARDED = ("status", "scheduledAt", "occurredAt")


class RejectedError(Exception):
    """Rejection, by its code."""


def instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value is not None else None


class Model:
    """State of all rows, and the effect of each command on them."""

    def __init__(self) -> None:
        self.entities: dict[str, Row] = {}
        self.rows: dict[str, Row] = {}
        self.deals: dict[str, Row] = {}
        self.types: dict[tuple[str, str], dict[str, list[Any]]] = {}
        self.strict: dict[tuple[str, str], bool] = {}
        self.log: dict[tuple[str, str, str], Row] = {}
        # Commands that touched an interaction, in order: undo is safe if the last one is the command to undo.
        self.touched: dict[str, list[str]] = {}
        # Scopes of erased customers.
        self.erased: dict[str, tuple[str, str]] = {}
        # The last version of an interaction, even after its deletion.
        self.versions: dict[str, int] = {}

    def execute(self, c: Row) -> Row:
        """Decide a command: outcome, code, versions, event types with reasons, fields with warnings."""
        key = (c["tenant"], c["organization"], c["id"])
        fate: Row = {
            "outcome": "applied",
            "code": None,
            "version": None,
            "entityVersion": None,
            "events": [],
            "warnings": [],
            "relabeled": None,
        }
        if key in self.log:
            first = self.log[key]
            same = first["content"] == c["content"]
            fate["outcome"] = "duplicate" if same else "rejected"
            if same:
                fate["version"], fate["entityVersion"] = first["version"], first["entityVersion"]
            else:
                fate["code"] = "idempotency_conflict"
            return fate
        saved = copy.deepcopy(self.__dict__) if c["validate"] else None
        entry: Row = {"content": c["content"], "entity": c["entity"], "interaction": None, "before": None}
        try:
            self.not_erased(c)
            getattr(self, c["type"].replace("customers.", "").replace(".", "_"))(c, fate, entry)
        except RejectedError as no:
            fate.update(outcome="rejected", code=str(no), version=None, entityVersion=None)
            fate.update(events=[], warnings=[])
        entry.update(outcome=fate["outcome"], version=fate["version"], entityVersion=fate["entityVersion"])
        self.log[key] = entry
        if saved is not None:
            self.__dict__.update(saved)
            fate["events"] = []
            fate["relabeled"] = None
        return fate

    # Rows and scopes

    def not_erased(self, c: Row) -> None:
        scope = self.erased.get(c["entity"])
        if scope is None or c["type"] == "customers.interaction_type.upsert":
            return
        if scope == (c["tenant"], c["organization"]):
            raise RejectedError("entity_erased")
        if c["type"] == "customers.entity.upsert":
            raise RejectedError("id_not_available")

    def scoped(self, table: dict[str, Row], c: Row, key: str, code: str) -> Row:
        row = table.get(key)
        if row is None or (row["tenant"], row["organization"]) != (c["tenant"], c["organization"]):
            raise RejectedError(code)
        return row

    def entity(self, c: Row) -> Row:
        return self.scoped(self.entities, c, c["entity"], "entity_not_found")

    def interaction(self, c: Row) -> Row:
        row = self.scoped(self.rows, c, c["data"]["id"], "interaction_not_found")
        if row["entityId"] != c["entity"]:
            raise RejectedError("entity_mismatch")
        return row

    def expect(self, c: Row, version: int) -> None:
        if c["expected"] is not None and c["expected"] != version:
            raise RejectedError("version_conflict")

    def deal_of(self, c: Row, deal: str | None) -> None:
        if deal is not None and self.scoped(self.deals, c, deal, "deal_not_found")["entityId"] != c["entity"]:
            raise RejectedError("deal_of_other_entity")

    def dictionary(self, c: Row) -> dict[str, list[Any]]:
        scope = (c["tenant"], c["organization"])
        return self.types.setdefault(scope, {code: list(entry) for code, entry in DEFAULTS.items()})

    def admit(self, c: Row, code: str) -> None:
        types = self.dictionary(c)
        if code not in types:
            if self.strict.get((c["tenant"], c["organization"]), False):
                raise RejectedError("unknown_interaction_type")
            words = code.replace("_", " ")
            types[code] = [words[0].upper() + words[1:], None, None]

    # The projection, recomputed

    def derived(self, entity: Row) -> tuple[Any, Any, tuple[int, int, int]]:
        types = self.types.get((entity["tenant"], entity["organization"])) or DEFAULTS
        own = [row for row in self.rows.values() if row["entityId"] == entity["id"]]
        planned = [row for row in own if row["status"] == "planned"]
        candidates = [row for row in planned if row["scheduledAt"] is not None]
        # Stable sorts, least significant criterion first.
        candidates.sort(key=lambda row: row["id"])
        candidates.sort(key=lambda row: row["createdAt"])
        candidates.sort(key=lambda row: row["priority"] if row["priority"] is not None else -1, reverse=True)
        candidates.sort(key=lambda row: row["scheduledAt"])
        next_interaction = None
        if candidates:
            first = candidates[0]
            label, icon, color = types[first["interactionType"]]
            next_interaction = (
                first["id"],
                first["scheduledAt"],
                label,
                first["appearanceIcon"] if first["appearanceIcon"] is not None else icon,
                first["appearanceColor"] if first["appearanceColor"] is not None else color,
            )
        done = [row for row in own if row["status"] == "done"]
        occurred = [row for row in done if row["occurredAt"] is not None]
        last = None
        if occurred:
            newest = max(occurred, key=lambda row: (row["occurredAt"], row["createdAt"], row["id"]))
            last = (newest["id"], newest["occurredAt"], types[newest["interactionType"]][0])
        overdue = [row for row in planned if row["announced"] == 2]
        return next_interaction, last, (len(planned), len(overdue), len(done))

    def touch(self, c: Row, fate: Row, reason: str, event: str | None, step_event: str | None = None) -> None:
        """Apply a command to an entity: increment its version, recompute its projection."""
        entity = self.entities[c["entity"]]
        entity["version"] += 1
        fate["entityVersion"] = entity["version"]
        if event:
            fate["events"].append((f"customers.interaction.{event}", reason))
        if step_event:
            fate["events"].append((f"customers.interaction.{step_event}", reason))
        before = entity["next"]
        entity["next"], entity["last"], entity["counts"] = self.derived(entity)
        if entity["next"] != before:
            fate["events"].append(("customers.next_interaction.updated", reason))

    def unchanged(self, c: Row, fate: Row, row: Row | None) -> None:
        fate["outcome"] = "no_op"
        entity = self.entities.get(c["entity"])
        fate["entityVersion"] = entity["version"] if entity else None
        fate["version"] = row["version"] if row else None

    # Commands

    def entity_upsert(self, c: Row, fate: Row, entry: Row) -> None:
        data = c["data"]
        stored = self.entities.get(c["entity"])
        if stored is None:
            self.expect(c, 0)
            self.entities[c["entity"]] = {
                "id": c["entity"],
                "tenant": c["tenant"],
                "organization": c["organization"],
                "kind": data["kind"],
                "displayName": data["displayName"],
                "version": 1,
                "next": None,
                "last": None,
                "counts": (0, 0, 0),
            }
            fate["entityVersion"] = 1
            return
        self.scoped(self.entities, c, c["entity"], "id_not_available")
        self.expect(c, stored["version"])
        if (stored["kind"], stored["displayName"]) == (data["kind"], data["displayName"]):
            self.unchanged(c, fate, None)
            return
        stored.update(kind=data["kind"], displayName=data["displayName"])
        stored["version"] += 1
        fate["entityVersion"] = stored["version"]

    def entity_erase(self, c: Row, fate: Row, entry: Row) -> None:
        entity = self.entity(c)
        self.expect(c, entity["version"])
        for key in [key for key, row in self.rows.items() if row["entityId"] == c["entity"]]:
            del self.rows[key]
            self.versions[key] += 1
        for key in [key for key, row in self.deals.items() if row["entityId"] == c["entity"]]:
            del self.deals[key]
        del self.entities[c["entity"]]
        self.erased[c["entity"]] = (c["tenant"], c["organization"])
        fate["entityVersion"] = entity["version"] + 1

    def deal_upsert(self, c: Row, fate: Row, entry: Row) -> None:
        data = c["data"]
        entity = self.entity(c)
        stored = self.deals.get(data["id"])
        fate["entityVersion"] = entity["version"]
        if stored is None:
            self.expect(c, 0)
            stored = {"tenant": c["tenant"], "organization": c["organization"], "entityId": c["entity"]}
            self.deals[data["id"]] = {**stored, "title": data["title"], "version": 1}
            fate["version"] = 1
            return
        self.scoped(self.deals, c, data["id"], "id_not_available")
        if stored["entityId"] != c["entity"]:
            raise RejectedError("entity_mismatch")
        self.expect(c, stored["version"])
        if stored["title"] == data["title"]:
            fate["outcome"] = "no_op"
            return
        stored["title"] = data["title"]
        stored["version"] += 1
        fate["version"] = stored["version"]

    def interaction_type_upsert(self, c: Row, fate: Row, entry: Row) -> None:
        data, scope = c["data"], (c["tenant"], c["organization"])
        code = data["interactionType"]
        known = (self.types.get(scope) or DEFAULTS).get(code)
        words = code.replace("_", " ")
        old = list(known) if known else [words[0].upper() + words[1:], None, None]
        new = [data.get("label", old[0]), data.get("icon", old[1]), data.get("color", old[2])]
        strict = data.get("strict", self.strict.get(scope, False))
        if known and new == old and strict == self.strict.get(scope, False):
            fate["outcome"] = "no_op"
            return
        self.dictionary(c)[code] = new
        self.strict[scope] = strict
        if known and new != old:
            fate["relabeled"] = code

    def interaction_create(self, c: Row, fate: Row, entry: Row) -> None:
        data = c["data"]
        self.entity(c)
        key = data.get("id") or derived_id(c)
        if key in self.rows:
            self.scoped(self.rows, c, key, "id_not_available")
            raise RejectedError("interaction_exists")
        self.expect(c, 0)
        moved = str(data.get("source")).startswith("migration:")
        if data.get("updatedAt") is not None and not moved:
            raise RejectedError("history_not_allowed")
        self.deal_of(c, data.get("dealId"))
        self.admit(c, data["interactionType"])
        row: Row = {name: data.get(name) for name in FIELDS}
        for name in INSTANTS:
            row[name] = instant(row[name])
        status = data.get("status") or ("done" if row["occurredAt"] else "planned")
        if status == "done" and row["occurredAt"] is None:
            row["occurredAt"] = c["source"]
        past = row["scheduledAt"] is not None and row["scheduledAt"] <= c["now"]
        row.update(
            id=key,
            tenant=c["tenant"],
            organization=c["organization"],
            entityId=c["entity"],
            status=status,
            version=self.versions.get(key, 0) + 1,
            armed=self.versions.get(key, 0) + 1,
            announced=2 if moved and status == "planned" and past else 0,
            createdAt=min(instant(data.get("createdAt")) or c["now"], c["now"]),
            asOf=dict.fromkeys(GUARDED, c["source"]),
        )
        self.rows[key] = row
        self.settle(c, fate, entry, None, key, "created", "created")

    def settle(
        self, c: Row, fate: Row, entry: Row, before: Row | None, key: str, reason: str, event: str
    ) -> None:
        row = self.rows.get(key)
        self.versions[key] = self.versions.get(key, 0) + 1
        fate["version"] = self.versions[key]
        assert row is None or row["version"] == self.versions[key]
        entry["interaction"], entry["before"], entry["undoable"] = key, before, True
        entry["left_nothing"] = row is None
        self.touched.setdefault(key, []).append(c["id"])
        step = entry.get("step")
        if step is not None:
            self.versions[step] = self.versions.get(step, 0) + 1
            self.touched.setdefault(step, []).append(c["id"])
        gone = step not in self.rows
        self.touch(c, fate, reason, event, None if step is None else "deleted" if gone else "created")

    def interaction_update(self, c: Row, fate: Row, entry: Row) -> None:
        row = self.interaction(c)
        wanted = {name: value for name, value in c["data"].items() if name in FIELDS}
        for name in INSTANTS:
            if name in wanted:
                wanted[name] = instant(wanted[name])
        self.expect(c, row["version"])
        reason, status = "updated", c["data"].get("status")
        if status is not None:
            if c["source"] < row["asOf"]["status"]:
                fate["warnings"].append("status")
                if "occurredAt" in wanted:
                    del wanted["occurredAt"]
                    fate["warnings"].append("occurredAt")
            elif status != row["status"]:
                wanted["status"] = status
                reason = {"done": "completed", "canceled": "canceled", "planned": "reopened"}[status]
                if status == "done" and wanted.get("occurredAt") is None:
                    wanted["occurredAt"] = c["source"]
                elif status == "planned" and "occurredAt" not in wanted:
                    wanted["occurredAt"] = None
        changes = {}
        for name, value in wanted.items():
            if name in GUARDED and c["source"] < row["asOf"][name]:
                fate["warnings"].append(name)
            elif row[name] != value:
                changes[name] = value
        fate["warnings"].sort(key=GUARDED.index)
        if not changes:
            self.unchanged(c, fate, row)
            return
        self.deal_of(c, changes.get("dealId"))
        if "interactionType" in changes:
            self.admit(c, changes["interactionType"])
        self.set(c, fate, entry, row, changes, reason)

    def set(self, c: Row, fate: Row, entry: Row, row: Row, changes: Row, reason: str) -> None:
        before = copy.deepcopy(row)
        row["version"] += 1
        for name, value in changes.items():
            if row[name] != value:
                row[name] = value
                if name in GUARDED:
                    row["asOf"][name] = c["source"]
        if row["scheduledAt"] != before["scheduledAt"] or (
            row["status"] == "planned" and before["status"] != "planned"
        ):
            row["armed"], row["announced"] = row["version"], 0
        self.settle(c, fate, entry, before, row["id"], reason, reason)

    def turn(
        self,
        c: Row,
        fate: Row,
        entry: Row,
        status: str,
        changes: Row,
        reason: str,
        following: Row | None = None,
    ) -> None:
        row = self.interaction(c)
        self.expect(c, row["version"])
        if c["source"] < row["asOf"]["status"]:
            fate["warnings"].append("status")
            self.unchanged(c, fate, row)
            return
        names = {
            ("done", "done"): "already_done",
            ("done", "canceled"): "cancel_done",
            ("canceled", "done"): "complete_canceled",
            ("canceled", "canceled"): "already_canceled",
            ("planned", "planned"): "already_planned",
        }
        if (row["status"], status) in names:
            raise RejectedError(names[row["status"], status])
        if "occurredAt" in changes and c["source"] < row["asOf"]["occurredAt"]:
            fate["warnings"].append("occurredAt")
            del changes["occurredAt"]
        if following is not None:
            self.plan(c, entry, row, following)
        self.set(c, fate, entry, row, {"status": status, **changes}, reason)

    def interaction_complete(self, c: Row, fate: Row, entry: Row) -> None:
        occurred = instant(c["data"].get("occurredAt")) or c["source"]
        changes = {"occurredAt": occurred}
        if c["data"].get("feedback") is not None:
            changes["feedback"] = c["data"]["feedback"]
        self.turn(c, fate, entry, "done", changes, "completed", c["data"].get("next"))

    def plan(self, c: Row, entry: Row, row: Row, following: Row) -> None:
        name = f"next-step/{c['tenant']}/{c['organization']}/{row['id']}/{row['version'] + 1}"
        key = str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "urn:customer-interactions"), name))
        if key in self.rows:
            raise RejectedError("id_not_available")
        self.deal_of(c, following.get("dealId"))
        self.admit(c, following["interactionType"])
        version = self.versions.get(key, 0) + 1
        step = {field: following.get(field) for field in FIELDS}
        step.update(
            scheduledAt=instant(following.get("scheduledAt")),
            id=key,
            tenant=c["tenant"],
            organization=c["organization"],
            entityId=c["entity"],
            status="planned",
            version=version,
            armed=version,
            announced=0,
            createdAt=c["now"],
            asOf=dict.fromkeys(GUARDED, c["source"]),
        )
        self.rows[key] = step
        entry["step"], entry["step_before"] = key, None

    def take_back(self, c: Row, entry: Row, target: Row) -> None:
        key, before = target["step"], target["step_before"]
        row = self.rows.get(key)
        left_nothing = before is not None and row is None
        if self.touched[key][-1] != c["data"]["commandId"] and not left_nothing:
            raise RejectedError("undo_unsafe")
        entry["step"], entry["step_before"] = key, copy.deepcopy(row)
        if before is None:
            del self.rows[key]
            return
        version = self.versions[key] + 1
        self.rows[key] = {**copy.deepcopy(before), "version": version, "armed": version, "announced": 0}

    def interaction_cancel(self, c: Row, fate: Row, entry: Row) -> None:
        self.turn(c, fate, entry, "canceled", {}, "canceled")

    def interaction_reopen(self, c: Row, fate: Row, entry: Row) -> None:
        self.turn(c, fate, entry, "planned", {"occurredAt": None}, "reopened")

    def interaction_delete(self, c: Row, fate: Row, entry: Row) -> None:
        row = self.interaction(c)
        self.expect(c, row["version"])
        self.remove(c, fate, entry, row, "deleted")

    def remove(self, c: Row, fate: Row, entry: Row, row: Row, reason: str) -> None:
        del self.rows[row["id"]]
        self.settle(c, fate, entry, row, row["id"], reason, "deleted")

    def interaction_undo(self, c: Row, fate: Row, entry: Row) -> None:
        target = self.log.get((c["tenant"], c["organization"], c["data"]["commandId"]))
        if target is None or target["entity"] != c["entity"]:
            raise RejectedError("undo_not_found")
        if target["outcome"] != "applied" or not target.get("undoable"):
            raise RejectedError("undo_not_available")
        key, before = target["interaction"], target["before"]
        row = self.rows.get(key)
        self.expect(c, row["version"] if row else 0)
        # A deletion leaves no row: undo is safe as long as there is still no row.
        nothing_again = target["left_nothing"] and row is None
        if self.touched[key][-1] != c["data"]["commandId"] and not nothing_again:
            raise RejectedError("undo_unsafe")
        if target.get("step") is not None:
            self.take_back(c, entry, target)
        if before is None:
            assert row is not None
            self.remove(c, fate, entry, row, "undo")
            return
        entry_before = copy.deepcopy(row)
        version = self.versions[key] + 1
        restored = copy.deepcopy(before)
        restored["version"] = version
        if row is None:
            restored["armed"], restored["announced"] = version, 0
        else:
            restored["asOf"] = dict(row["asOf"])
            for name in GUARDED:
                if restored[name] != row[name]:
                    restored["asOf"][name] = max(row["asOf"][name], c["source"])
            restored["armed"], restored["announced"] = row["armed"], row["announced"]
            again = restored["status"] == "planned" and row["status"] != "planned"
            if again or restored["scheduledAt"] != row["scheduledAt"]:
                restored["armed"], restored["announced"] = version, 0
        self.rows[key] = restored
        event = "created" if row is None else "reverted"
        self.settle(c, fate, entry, entry_before, key, "undo", event)

    def interaction_recompute_next(self, c: Row, fate: Row, entry: Row) -> None:
        entity = self.entity(c)
        self.expect(c, entity["version"])
        if self.derived(entity) == (entity["next"], entity["last"], entity["counts"]):
            self.unchanged(c, fate, None)
            return
        self.touch(c, fate, "recompute", None)

    def interaction_mark_due(self, c: Row, fate: Row, entry: Row) -> None:
        row = self.rows.get(c["data"]["id"])
        scope = (c["tenant"], c["organization"])
        if row is None or (row["tenant"], row["organization"]) != scope or row["entityId"] != c["entity"]:
            fate["outcome"] = "no_op"
            fate["warnings"].append("id")
            return
        phase = {"due": 1, "overdue": 2}[c["data"]["phase"]]
        armed = row["status"] == "planned" and row["armed"] == c["data"]["scheduleVersion"]
        scheduled = row["scheduledAt"]
        early = scheduled is None or scheduled > c["now"] + timedelta(minutes=5)
        if not armed or row["announced"] >= phase or early:
            self.unchanged(c, fate, row)
            fate["warnings"].append(None)
            return
        row["announced"] = phase
        fate["version"] = row["version"]
        self.touch(c, fate, c["data"]["phase"], c["data"]["phase"])


def derived_id(c: Row) -> str:
    """Id of an interaction that was created without one."""
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:customer-interactions")
    return str(uuid.uuid5(namespace, f"interaction/{c['tenant']}/{c['organization']}/{c['id']}"))
