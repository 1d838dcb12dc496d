"""One customer's week: its commands, each with its expected outcome."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from examples.week.agenda import appointment
from examples.week.business_names import business_name, desk_of, email_of
from examples.week.sample import Sample, Scope, cloud_event, instant, new_id
from examples.week.signals import open_promise, reveal
from examples.week.working_hours import working_moment

WEEK = timedelta(days=7)


@dataclass(slots=True)
class Known:
    """An interaction's state as its publisher tracks it."""

    id: str
    status: str
    version: int = 1
    changed_at: datetime | None = None


@dataclass(slots=True)
class Customer:
    """Generates the samples of one customer, in the order in which they are made.

    :param now: end of the week; no command is made later.
    :param person: a person, not a company.
    """

    rng: random.Random
    scope: Scope
    now: datetime
    owner_ids: list[str]
    person: bool
    id: str = ""
    interactions: list[Known] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def generate_week(self) -> list[Sample]:
        """Generate the whole week of this customer."""
        self.id = new_id(self.rng)
        registered_at = working_moment(self.rng, self.now - WEEK, self.now - timedelta(days=1))
        self._register(registered_at)
        for _ in range(self.rng.choices((0, 1, 2, 3, 4, 6), weights=(4, 20, 28, 24, 16, 8))[0]):
            self._interaction(registered_at)
        self.samples.sort(key=lambda sample: sample.made_at)  # stable: equal moments stay in order
        return self.samples

    def send(
        self,
        made_at: datetime,
        kind: str,
        data: dict[str, Any],
        outcome: str = "applied",
        code: str | None = None,
    ) -> dict[str, Any]:
        """Add one command and return its event."""
        event = cloud_event(self.rng, self.scope, kind, self.id, made_at=made_at, data=data)
        self.samples.append(Sample(made_at, event, outcome, code))
        return event

    def after(self, moment: datetime) -> datetime:
        """A random time later, but before ``now``."""
        latest = self.now - timedelta(seconds=1)
        step = timedelta(minutes=self.rng.randint(5, 26 * 60), seconds=self.rng.randint(0, 59))
        return max(moment, min(moment + step, latest))

    def _register(self, registered_at: datetime) -> None:
        business = business_name(self.rng)
        data: dict[str, Any] = {
            "id": self.id,
            "kind": "person" if self.person else "company",
            "displayName": desk_of(self.rng, business) if self.person else business,
            "primaryEmail": email_of(business),
        }
        if self.rng.random() < 0.6:
            data["ownerUserId"] = self.rng.choice(self.owner_ids)
        event = self.send(registered_at, "entity.upsert", data)
        if self.rng.random() < 0.04:  # the publisher retried: same id, same content
            self.samples.append(Sample(registered_at, copy.deepcopy(event), "duplicate"))
        if self.rng.random() < 0.35:
            title = self.rng.choice(("Renewal", "First order", "Framework agreement", "Extension"))
            self.send(
                registered_at, "deal.upsert", {"id": new_id(self.rng), "title": title, "status": "open"}
            )

    def _interaction(self, registered_at: datetime) -> None:
        made_at = self.after(registered_at)
        known = Known(new_id(self.rng), "planned", changed_at=made_at)
        self.interactions.append(known)
        data = {"id": known.id, **appointment(self.rng, self.owner_ids)}
        story = self.rng.choices(
            ("wait", "move", "complete", "cancel", "reopen", "slip", "remove", "log", "miss", "edit"),
            weights=(26, 14, 20, 8, 5, 6, 5, 8, 10, 8),
        )[0]
        if story == "log":
            self._log(known, made_at, data)
            return
        if story == "miss":
            at = working_moment(self.rng, made_at, self.now)
        else:
            at = working_moment(self.rng, self.now, self.now + timedelta(days=10))
        self.send(made_at, "interaction.create", {**data, "scheduledAt": instant(at)})
        if story not in ("wait", "miss"):
            getattr(self, f"_{story}")(known, self.after(made_at))

    def _log(self, known: Known, made_at: datetime, data: dict[str, Any]) -> None:
        known.status = "done"
        self.send(made_at, "interaction.create", {**data, "status": "done", "occurredAt": instant(made_at)})
        if self.rng.random() < 0.5:
            reveal(self, known.id, self.after(made_at))

    def promise(self) -> None:
        """Add a logged interaction whose promise is still open."""
        made_at = self.after(self.samples[-1].made_at)
        known = Known(new_id(self.rng), "done", changed_at=made_at)
        self.interactions.append(known)
        data = {"id": known.id, "interactionType": "call", "title": "Call about the price list"}
        self.send(made_at, "interaction.create", {**data, "status": "done", "occurredAt": instant(made_at)})
        open_promise(self, known.id, self.after(made_at))

    def _change(self, known: Known, made_at: datetime, kind: str, **data: Any) -> dict[str, Any]:
        known.version += 1
        known.changed_at = made_at
        return self.send(made_at, f"interaction.{kind}", {"id": known.id, **data})

    def _undo(self, known: Known, event: dict[str, Any], made_at: datetime) -> None:
        known.version += 1
        known.changed_at = made_at
        self.send(made_at, "interaction.undo", {"commandId": event["id"]})

    def _move(self, known: Known, made_at: datetime) -> None:
        for _ in range(self.rng.randint(1, 3)):
            at = working_moment(self.rng, self.now + timedelta(days=1), self.now + timedelta(days=12))
            given = {"expectedVersion": known.version} if self.rng.random() < 0.3 else {}
            # A distinct microsecond: the stored instant again would be a no-op.
            self._change(
                known,
                made_at,
                "update",
                scheduledAt=instant(at + timedelta(microseconds=known.version)),
                **given,
            )
            made_at = self.after(made_at)
        if self.rng.random() < 0.15:  # an offline device reports an older change: superseded
            stale = made_at - timedelta(days=20)
            self.send(made_at, "interaction.update", {"id": known.id, "scheduledAt": instant(stale)}, "no_op")
            self.samples[-1].event["data"]["sourceTimestamp"] = instant(stale)

    def _complete(self, known: Known, made_at: datetime) -> None:
        known.status = "done"
        if self.rng.random() < 0.1:  # a dry run first
            self.send(made_at, "interaction.complete", {"id": known.id, "validateOnly": True})
        self._change(known, made_at, "complete", occurredAt=instant(made_at))

    def _cancel(self, known: Known, made_at: datetime) -> None:
        known.status = "canceled"
        self._change(known, made_at, "cancel")

    def _reopen(self, known: Known, made_at: datetime) -> None:
        self._change(known, made_at, "complete")
        self._change(known, self.after(made_at), "reopen")

    def _slip(self, known: Known, made_at: datetime) -> None:
        event = self._change(known, made_at, self.rng.choice(("complete", "cancel")))
        self._undo(known, event, self.after(made_at))

    def _remove(self, known: Known, made_at: datetime) -> None:
        event = self._change(known, made_at, "delete")
        if self.rng.random() < 0.5:
            self._undo(known, event, self.after(made_at))
        else:
            known.status = "deleted"

    def _edit(self, known: Known, made_at: datetime) -> None:
        note = self.rng.choice(
            ("Bring the samples along.", "Ask for the purchasing desk.", "Mention the discount.")
        )
        self._change(known, made_at, "update", body=note)
        if self.rng.random() < 0.2:  # the same value again is a no-op
            self.send(made_at, "interaction.update", {"id": known.id, "body": note}, "no_op")
