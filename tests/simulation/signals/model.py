"""Reference model of signals and drafts for one person: plain dicts, no code shared with ``domain``.

Written from docs/signals-and-drafts.md. Only the derivation of a draft's id is assumed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
#: Table and id.
Key = tuple[str, str]


class RefusedError(Exception):
    """The model rejects the command."""

    @property
    def code(self) -> str:
        """Code of the rejection."""
        return str(self.args[0])


@dataclass
class Done:
    """An executed command, and the rows that it changed, as they were and as it left them."""

    outcome: str
    before: dict[Key, Row | None]
    after: dict[Key, Row | None]


class Model:
    """The rows of one person and the commands that made them.

    :param draft_id: id of the draft of a signal's resolution.
    """

    def __init__(self, draft_id: Callable[[str, int], str]) -> None:
        self.rows: dict[Key, Row] = {}
        self.version = 1
        self._draft_id = draft_id
        self._versions: dict[str, int] = {}
        self._done: dict[str, Done] = {}

    def of(self, table: str, **wanted: Any) -> dict[str, Row]:
        """Rows of a table with these values, by id."""
        return {
            key[1]: row
            for key, row in self.rows.items()
            if key[0] == table and all(row[name] == value for name, value in wanted.items())
        }

    def execute(self, command_id: str, kind: str, data: Row, actor: str | None) -> tuple[str, str | None]:
        """Apply one command; return its outcome and the code of a rejection."""
        if command_id in self._done:
            return "duplicate", None
        held = copy.deepcopy(self.rows)
        try:
            getattr(self, kind.replace(".", "_"))(data, command_id, actor)
        except RefusedError as refusal:
            self.rows = held
            self._done[command_id] = Done("rejected", {}, {})
            return "rejected", refusal.code
        changed = [key for key in {**held, **self.rows} if held.get(key) != self.rows.get(key)]
        self._settle(changed)
        # Outcomes that the command added stay when it is undone.
        images = [key for key in changed if key[0] != "outcome" or key not in self.rows]
        before = {key: held.get(key) for key in images}
        after = {key: copy.deepcopy(self.rows.get(key)) for key in images}
        self._done[command_id] = Done("applied" if changed else "no_op", before, after)
        return self._done[command_id].outcome, None

    def _settle(self, changed: list[Key]) -> None:
        """Give the changed rows their versions."""
        if changed:
            self.version += 1
        for table, identity in changed:
            row = self.rows.get((table, identity))
            if table == "interaction":
                self._versions[identity] = self._versions.get(identity, 0) + 1
            if row is not None and table != "outcome":
                row["version"] = self._versions[identity] if table == "interaction" else self.version

    # ---- interactions

    def interaction_create(self, data: Row, command_id: str, actor: str | None) -> None:
        """Plan an interaction."""
        self.rows["interaction", data["id"]] = {"title": data["title"], "version": None}

    def interaction_update(self, data: Row, command_id: str, actor: str | None) -> None:
        """Change its title."""
        self._row("interaction", data["id"])["title"] = data["title"]

    def interaction_delete(self, data: Row, command_id: str, actor: str | None) -> None:
        """Delete it, with all that hangs on it."""
        self._row("interaction", data["id"])
        del self.rows["interaction", data["id"]]
        for identity in self.of("signal", interaction=data["id"]):
            self._remove_signal(identity)

    def interaction_fix(self, data: Row, command_id: str, actor: str | None) -> None:
        """Change an interaction and its signals, or nothing."""
        row = self._row("interaction", data["id"])
        for wanted in data["signals"]:
            signal = self._row("signal", wanted["id"])
            if signal["interaction"] != data["id"]:
                raise RefusedError("signal_of_other_interaction")
            signal["title"] = wanted["title"]
        row["title"] = data["title"]

    # ---- signals

    def signal_record(self, data: Row, command_id: str, actor: str | None) -> None:
        """Record an open signal."""
        self._row("interaction", data["interactionId"])
        if ("signal", data["id"]) in self.rows:
            raise RefusedError("signal_exists")
        empty = dict.fromkeys(("channel", "user", "resolution", "draft", "failure", "version"))
        self.rows["signal", data["id"]] = {
            "interaction": data["interactionId"],
            "title": data["title"],
            "person": data.get("personId"),
            "status": "open",
            **empty,
        }

    def signal_update(self, data: Row, command_id: str, actor: str | None) -> None:
        """Change its title."""
        self._row("signal", data["id"])["title"] = data["title"]

    def signal_resolve(self, data: Row, command_id: str, actor: str | None) -> None:
        """Ask for a draft."""
        row = self._row("signal", data["id"])
        if row["status"] == "skipped":
            raise RefusedError("signal_skipped")
        if row["status"] == "open":
            row |= {"status": "resolving", "channel": data["channel"], "user": actor, "failure": None}
            row |= {"resolution": self.version + 1, "draft": None}

    def signal_attach_draft(self, data: Row, command_id: str, actor: str | None) -> None:
        """Store the draft, and the signal as resolved."""
        row, identity = self._row("signal", data["id"]), self._draft_id(data["id"], data["resolution"])
        if row["draft"] == identity:
            return
        self._check_running(row, data)
        row |= {"status": "resolved", "draft": identity}
        self.rows["draft", identity] = {
            "signal": data["id"],
            "status": "draft",
            "body": data["body"],
            "channel": row["channel"],
            "user": row["user"],
            "version": None,
        }
        self._note(data["id"], "resolved", command_id)

    def signal_fail_draft(self, data: Row, command_id: str, actor: str | None) -> None:
        """Open it, with the reason."""
        row = self._row("signal", data["id"])
        self._check_running(row, data)
        row |= {"status": "open", "failure": data["code"]}
        self._note(data["id"], "failed", command_id)

    def signal_skip(self, data: Row, command_id: str, actor: str | None) -> None:
        """Decide that nothing is to be done."""
        row = self._row("signal", data["id"])
        if row["status"] in ("resolving", "resolved"):
            raise RefusedError(f"signal_{row['status']}")
        if row["status"] == "open":
            row |= {"status": "skipped", "draft": None, "failure": None}
            self._note(data["id"], "skipped", command_id)

    def signal_reopen(self, data: Row, command_id: str, actor: str | None) -> None:
        """Open it; its draft stays."""
        row = self._row("signal", data["id"])
        if row["status"] == "resolving":
            raise RefusedError("signal_resolving")
        if row["status"] != "open":
            row |= {"status": "open", "draft": None, "failure": None}
            self._note(data["id"], "reopened", command_id)

    # ---- drafts

    def draft_update(self, data: Row, command_id: str, actor: str | None) -> None:
        """Change the text."""
        row = self._row("draft", data["id"])
        if row["status"] != "draft":
            raise RefusedError(f"draft_{row['status']}")
        if not data["body"].strip():
            raise RefusedError("blank_draft")
        row["body"] = data["body"]

    def draft_mark_sent(self, data: Row, command_id: str, actor: str | None) -> None:
        """Note that a person has sent it."""
        row = self._row("draft", data["id"])
        if row["status"] == "deleted":
            raise RefusedError("draft_deleted")
        row["status"] = "sent"

    def draft_delete(self, data: Row, command_id: str, actor: str | None) -> None:
        """Hide it; the row stays."""
        self._unsent(data["id"])["status"] = "deleted"

    def draft_restore(self, data: Row, command_id: str, actor: str | None) -> None:
        """Show it once more."""
        self._unsent(data["id"])["status"] = "draft"

    # ---- undo

    def interaction_undo(self, data: Row, command_id: str, actor: str | None) -> None:
        """Restore the rows of one command, if they are as it left them."""
        done = self._done.get(data["commandId"])
        if done is None:
            raise RefusedError("undo_not_found")
        if done.outcome != "applied":
            raise RefusedError("undo_not_available")
        self._check_safe(done)
        current = {key: copy.deepcopy(self.rows.get(key)) for key in done.before}
        for key, before in done.before.items():
            if before is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = {**before, "version": None} if key[0] != "outcome" else before
        for (table, identity), before in done.before.items():
            if table == "signal":
                self._revert_signal(identity, current[table, identity], before, command_id)

    def _check_safe(self, done: Done) -> None:
        for key, after in done.after.items():
            if key[0] != "outcome" and self.rows.get(key) != after:
                raise RefusedError("undo_unsafe")
        for (table, identity), before in done.before.items():
            if table == "interaction" and before is None:
                since = set(self.of("signal", interaction=identity)) - {key[1] for key in done.after}
                if since:
                    raise RefusedError("undo_unsafe")
            if table == "signal" and before is not None:
                home = ("interaction", before["interaction"])
                if home not in self.rows and done.before.get(home) is None:
                    raise RefusedError("undo_unsafe")

    def _revert_signal(self, identity: str, current: Row | None, before: Row | None, command_id: str) -> None:
        if before is None:
            self._remove_signal(identity)
            return
        row = self.rows["signal", identity]
        running = current is not None and current["status"] == "resolving"
        if row["status"] == "resolving" and not (running and current["resolution"] == row["resolution"]):  # type: ignore[index]
            row["status"] = "open"
        if current is not None and current["status"] != row["status"]:
            self._note(identity, "reverted", command_id)

    # ---- shared

    def _row(self, table: str, identity: str) -> Row:
        if (table, identity) not in self.rows:
            raise RefusedError(f"{table}_not_found")
        return self.rows[table, identity]

    def _unsent(self, identity: str) -> Row:
        row = self._row("draft", identity)
        if row["status"] == "sent":
            raise RefusedError("draft_sent")
        return row

    @staticmethod
    def _check_running(row: Row, data: Row) -> None:
        if (row["status"], row["resolution"]) != ("resolving", data["resolution"]):
            raise RefusedError("not_resolving")

    def _note(self, identity: str, outcome: str, command_id: str) -> None:
        self.rows["outcome", f"{command_id}/{identity}"] = {"signal": identity, "outcome": outcome}

    def _remove_signal(self, identity: str) -> None:
        self.rows.pop(("signal", identity), None)
        for table in ("draft", "outcome"):
            for child in self.of(table, signal=identity):
                del self.rows[table, child]
