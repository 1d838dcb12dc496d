"""One small history of signals: drafts, failures, fixes, deletions with signals, undo, and rejections."""

from __future__ import annotations

from typing import Any, Final

from schemas.identity import derive_id
from tests.unit.audit.machine import ORGANIZATION, TENANT, Machine, make_id

CARA, DORA = make_id("cara"), make_id("dora")
TALK, CHAT, GONE, LOST, MEET = (make_id(name) for name in ("talk", "chat", "gone", "lost", "meet"))
PROMISE, QUESTION, WAITING, RISK = (make_id(name) for name in ("promise", "question", "waiting", "risk"))
#: Of the interaction that is deleted and restored: with a draft, and being resolved.
KEPT, CUT_OFF = make_id("kept"), make_id("cut off")
#: Of the interaction that is deleted for good.
DROPPED: Final = make_id("dropped")
#: Recorded without an id.
IDEA: Final = derive_id("signal", TENANT, ORGANIZATION, "record-idea")
STRANGER: Final = make_id("another tenant")
#: Before the first command.
EARLIER: Final = "2026-03-02T07:59:00Z"


class Teller:
    """Sender of commands of one customer after another; each is settled before the next."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.entity = CARA

    def applied(self, kind: str, data: dict[str, Any], command_id: str | None = None, **more: Any) -> int:
        """Send a command that is applied; returns the version that it left."""
        self._send("applied", kind, data, command_id, **more)
        version = self.machine.journal[-1]["entity_version"]
        assert isinstance(version, int)
        return version

    def refused(self, kind: str, data: dict[str, Any], **more: Any) -> None:
        """Send a command that is rejected."""
        self._send("rejected", kind, data, **more)

    def needless(self, kind: str, data: dict[str, Any], **more: Any) -> None:
        """Send a command that changes nothing."""
        self._send("no_op", kind, data, **more)

    def _send(
        self, outcome: str, kind: str, data: dict[str, Any], command_id: str | None = None, **more: Any
    ) -> None:
        self.machine.send(kind, data, entity=self.entity, command_id=command_id, **more)
        self.machine.settle()
        row = self.machine.journal[-1]
        assert row["outcome"] == outcome, (kind, data, row)

    def interaction(self, identity: str) -> None:
        """Create an interaction."""
        data = {"id": identity, "interactionType": "meeting", "scheduledAt": "2026-03-05T09:00:00Z"}
        self.applied("interaction.create", data, f"create-{identity}")

    def signal(self, identity: str, interaction: str, **data: Any) -> None:
        """Record a signal."""
        given = {"id": identity, "interactionId": interaction, "kind": "Promise", "title": "Send the offer"}
        self.applied("signal.record", {**given, **data})

    def resolving(self, identity: str, actor: str, **data: Any) -> int:
        """Resolve a signal; returns the number of the resolution."""
        return self.applied("signal.resolve", {"id": identity, "channel": "email", **data}, actor=actor)

    def drafted(self, identity: str, actor: str) -> str:
        """Resolve a signal and attach a draft; returns its id."""
        resolution = self.resolving(identity, actor)
        self.applied("signal.attach_draft", written(identity, resolution))
        return draft_id(identity, resolution)


def written(identity: str, resolution: int, body: str = "Dear Cara, …") -> dict[str, Any]:
    """Data of a draft that was written."""
    text = {"subject": "The offer", "body": body, "writer": "template", "templateId": "email/en/promise@1"}
    return {"id": identity, "resolution": resolution, **text}


def draft_id(identity: str, resolution: int) -> str:
    """Id of the draft of a resolution."""
    return derive_id("draft", TENANT, ORGANIZATION, identity, str(resolution))


def draft_of(m: Machine, identity: str) -> str:
    """Id of the draft that resolved a signal."""
    row = next(row for row in m.tables["signals"] if row["id"] == identity)
    assert isinstance(row["draft_id"], str)
    return row["draft_id"]


def tell_signals(m: Machine) -> None:
    """Send and settle the story."""
    t = Teller(m)
    t.applied("entity.upsert", {"id": CARA, "kind": "person", "displayName": "Cara"})
    for interaction in (TALK, CHAT, GONE, LOST):
        t.interaction(interaction)
    _drafts(t)
    _answers(t)
    _deletions(t)
    _fixes(t)
    t.signal(WAITING, CHAT)
    t.resolving(WAITING, "ann", instruction="Keep it short")
    _rejections(t)
    t.entity = DORA
    t.applied("entity.upsert", {"id": DORA, "kind": "company", "displayName": "Dora Ltd"})
    t.interaction(MEET)
    t.signal(RISK, MEET, confidence=40, body="b" * 300)
    t.refused("signal.resolve", {"id": RISK, "channel": "text"})
    t.applied("signal.update", {"id": RISK, "personId": CARA}, "name-person")
    t.drafted(RISK, "dan")


def _drafts(t: Teller) -> None:
    """A draft of each status, and undo of each change."""
    t.signal(PROMISE, TALK, detectedAt="2026-03-01T09:00:00Z")
    t.applied(
        "signal.update", {"id": PROMISE, "title": "Send two offers", "body": "B" * 300}, "update-promise"
    )
    first = t.drafted(PROMISE, "ann")
    t.needless("signal.resolve", {"id": PROMISE, "channel": "text"})
    t.applied("draft.delete", {"id": first}, "delete-draft")
    t.applied("interaction.undo", {"commandId": "delete-draft"}, "undo-delete-draft")
    t.applied(
        "draft.update", {"id": first, "body": "Dear Cara, here are two.", "subject": None}, "edit-draft"
    )
    t.applied("draft.mark_sent", {"id": first, "sourceTimestamp": EARLIER}, "send-draft")
    t.applied("signal.reopen", {"id": PROMISE}, "reopen-promise")
    resolution = t.resolving(PROMISE, "bob", language="de")
    t.applied("signal.attach_draft", written(PROMISE, resolution), "attach-second")
    t.needless("signal.attach_draft", written(PROMISE, resolution, "Another"))
    t.refused("signal.attach_draft", written(PROMISE, resolution - 2))
    t.applied("interaction.undo", {"commandId": "attach-second"}, "undo-attach")
    t.applied("interaction.undo", {"commandId": "undo-attach"}, "redo-attach")


def _answers(t: Teller) -> None:
    """Failures, skips, and a signal that is recorded without an id."""
    t.signal(QUESTION, TALK, sourceTimestamp=EARLIER)
    resolution = t.resolving(QUESTION, "ann")
    failure = {"id": QUESTION, "resolution": resolution, "code": "writer_timeout", "detail": "No answer"}
    t.applied("signal.fail_draft", failure, "fail-question")
    t.applied("signal.skip", {"id": QUESTION, "reason": "Settled by phone"}, "skip-question")
    t.needless("signal.skip", {"id": QUESTION})
    t.applied("signal.reopen", {"id": QUESTION}, "reopen-question")
    t.applied("interaction.undo", {"commandId": "reopen-question"}, "undo-reopen")
    idea = {"interactionId": TALK, "kind": "idea", "title": "A garden"}
    t.applied("signal.record", idea, "record-idea")
    t.applied("interaction.undo", {"commandId": "record-idea"}, "undo-record")
    t.applied("interaction.undo", {"commandId": "undo-record"}, "redo-record")
    t.applied("signal.resolve", {"id": IDEA, "channel": "call"}, "resolve-idea")
    t.applied("interaction.undo", {"commandId": "resolve-idea"}, "undo-resolve")


def _deletions(t: Teller) -> None:
    """Interactions that are deleted with their signals, and one that is restored with them."""
    t.signal(KEPT, GONE)
    t.drafted(KEPT, "ann")
    t.signal(CUT_OFF, GONE)
    t.resolving(CUT_OFF, "ann")
    t.applied("interaction.delete", {"id": GONE}, "delete-gone")
    t.applied("interaction.undo", {"commandId": "delete-gone"}, "restore-gone")
    t.applied("interaction.undo", {"commandId": "restore-gone"}, "delete-gone-twice")
    t.applied("interaction.undo", {"commandId": "delete-gone-twice"}, "restore-gone-twice")
    t.applied("signal.update", {"id": KEPT, "confidence": 70})
    t.refused("interaction.undo", {"commandId": "restore-gone-twice"})
    t.signal(DROPPED, LOST)
    t.drafted(DROPPED, "bob")
    t.applied("interaction.delete", {"id": LOST}, "delete-lost")


def _fixes(t: Teller) -> None:
    """A fix of both, of signals alone, and their undo, which is refused once a signal has changed."""
    signals = [
        {"id": PROMISE, "title": "Send three offers"},
        {"id": QUESTION, "clear": ["body"], "kind": "Risk"},
    ]
    both = {"id": TALK, "title": "About the offers", "signals": signals}
    t.applied("interaction.fix", both, "fix-both")
    t.needless("interaction.fix", both)
    t.applied("interaction.undo", {"commandId": "fix-both"}, "undo-fix")
    t.applied("interaction.fix", {"id": TALK, "signals": [{"id": PROMISE, "confidence": 90}]}, "fix-signals")
    t.applied("interaction.undo", {"commandId": "fix-signals"}, "undo-fix-signals")
    t.applied("interaction.undo", {"commandId": "undo-fix-signals"}, "redo-fix-signals")
    t.applied("interaction.fix", both, "fix-later")
    t.applied("signal.update", {"id": PROMISE, "title": "Send four offers"})
    t.refused("interaction.undo", {"commandId": "fix-later"})


def _rejections(t: Teller) -> None:
    """Commands without any effect other than a result."""
    sent = next(row.id for row in t.machine.work.drafts.values() if row.status == "sent")
    t.refused("draft.update", {"id": sent, "body": "x"})
    t.refused("draft.restore", {"id": make_id("no draft")})
    t.refused("signal.record", {"id": PROMISE, "interactionId": TALK, "kind": "x", "title": "x"})
    t.refused("signal.record", {"interactionId": LOST, "kind": "x", "title": "x"}, command_id="record-lost")
    t.refused("signal.skip", {"id": PROMISE, "expectedVersion": 1})
    t.refused("signal.skip", {"id": PROMISE}, tenant=STRANGER)
    t.refused("signal.skip", {"id": PROMISE, "why": "x"})
    t.refused("interaction.undo", {"commandId": "update-promise"}, command_id="undo-too-late")
    t.refused("interaction.undo", {"commandId": f"create-{CHAT}"})
    stranger, again = {"id": make_id("no signal"), "title": "x"}, {"id": PROMISE, "title": "y"}
    half = {"id": TALK, "title": "Half", "signals": [again, stranger]}
    t.refused("interaction.fix", half, command_id="fix-half")
    t.refused("interaction.fix", {"id": TALK, "signals": [{"id": CUT_OFF, "title": "x"}]})
    t.refused("interaction.fix", {"id": TALK, "signals": [again, again]})
    free = {"id": make_id("free"), "interactionId": TALK, "kind": "x", "title": "x"}
    for kind, data in (("signal.reopen", {"id": PROMISE}), ("signal.record", free)):
        t.machine.send(kind, {**data, "validateOnly": True}, entity=CARA, command_id=f"only-{kind}")
    t.machine.settle()
