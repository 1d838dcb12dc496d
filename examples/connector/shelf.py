"""Shelf: an interaction is a note. Example of docs/writing-a-connector.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

from pydantic import Field, SecretStr

from connectors.sdk.coarse_forms import one_line
from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings, RateLimit
from connectors.sdk.http_errors import check_status, send_request
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject
from schemas.errors import Conflict, NeedsAuth, Reject

_STATES: Final = {"planned": "open", "done": "done", "canceled": "dropped"}
_STATUSES: Final = {state: status for status, state in _STATES.items()}


class ShelfSettings(ProviderSettings):
    """Address of the shelf, and the token for it."""

    url: str = Field(description="URL of the shelf")
    token: SecretStr = Field(description="API token")


class Shelf(Provider):
    """One shelf."""

    def __init__(self, settings: ShelfSettings, context: ProviderContext) -> None:
        self._url = settings.url.rstrip("/")
        self._authorization = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self._http = context.http

    def create(self, intent: Intent) -> RemoteObject:
        note = self._call("POST", "/notes", {**_fields(intent.values), "ref": intent.marker})
        if note is None:
            raise NeedsAuth("there is no shelf at this URL; check `url`, then resume")
        return _object(note)

    def read(self, external_id: str) -> RemoteObject | Gone:
        return _found(external_id, self._call("GET", f"/notes/{external_id}"))

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        return self._put(external_id, _fields(changes), base.version)

    def archive(self, external_id: str) -> RemoteObject | Gone:
        return self._put(external_id, {"hidden": True})

    def erase(self, external_id: str) -> None:
        self._call("DELETE", f"/notes/{external_id}")

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        return self._put(external_id, {**_fields(values), "hidden": False})

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        notes = [note for note in self._since(0)["notes"] if note["ref"] == marker]
        return _object(notes[0]) if notes else None

    def changes(self, cursor: str | None) -> ChangePage:
        news = self._since(int(cursor or 0))
        objects = [_object(note) for note in news["notes"]]
        changed = [
            RemoteChange(
                event_id=f"{each.external_id}:{each.version}",
                external_id=each.external_id,
                occurred_at=None,
                state=each,
            )
            for each in objects
        ]
        gone = [
            RemoteChange(event_id=f"{identity}:gone", external_id=identity, occurred_at=None, kind="gone")
            for identity in news["gone"]
        ]
        return ChangePage(changes=(*changed, *gone), cursor=str(news["revision"]))

    def health(self) -> Health:
        return Health(ok=True, detail=f"The shelf is at revision {self._since(0)['revision']}")

    def _since(self, revision: int) -> Any:
        answer = self._call("GET", f"/notes?since={revision}")
        if answer is None:
            raise NeedsAuth("there is no shelf at this URL; check `url`, then resume")
        return answer

    def _put(
        self, external_id: str, fields: dict[str, Any], version: str | None = None
    ) -> RemoteObject | Gone:
        return _found(external_id, self._call("PUT", f"/notes/{external_id}", fields, version))

    def _call(
        self, method: str, path: str, fields: dict[str, Any] | None = None, version: str | None = None
    ) -> Any | None:
        headers = self._authorization | ({"If-Match": version} if version is not None else {})
        answer = send_request(
            "Shelf", lambda: self._http.request(method, self._url + path, json=fields, headers=headers)
        )
        check_status("Shelf", answer)
        if answer.status_code == 404:
            return None
        if answer.status_code == 412:
            raise Conflict("the note was changed in the meantime")
        if answer.status_code >= 400:
            raise Reject("shelf_refused", f"Shelf refused the note (HTTP {answer.status_code})")
        return answer.json()


def to_text(title: str | None) -> str:
    """Coarse form of a title: one line of at most 200 characters."""
    return (one_line(title) or "")[:200].strip()


def to_title(_local: str | None, text: str) -> str | None:
    """The title for a changed text."""
    return text or None


def to_day(moment: datetime | None) -> datetime | None:
    """Coarse form of an instant: its day."""
    return moment and moment.replace(hour=0, minute=0, second=0, microsecond=0)


def to_moment(local: datetime | None, day: datetime | None) -> datetime | None:
    """The instant for a changed day: at the time planned so far, otherwise at nine."""
    planned = local.time() if local is not None else time(9)
    return day and datetime.combine(day.date(), planned, UTC)


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "title" in values:
        fields["text"] = to_text(values["title"])
    if "status" in values:
        fields["state"] = _STATES[values["status"]]
    if "scheduled_at" in values:
        moment = values["scheduled_at"]
        fields["day"] = None if moment is None else moment.date().isoformat()
    return fields


def _found(external_id: str, note: Any | None) -> RemoteObject | Gone:
    return Gone(external_id=external_id) if note is None else _object(note)


def _object(note: Mapping[str, Any]) -> RemoteObject:
    day = None if note["day"] is None else date.fromisoformat(note["day"])
    return RemoteObject(
        external_id=note["id"],
        version=str(note["revision"]),
        archived=note["hidden"],
        marker=note["ref"],
        values={
            "title": note["text"],
            "status": _STATUSES[note["state"]],
            "scheduled_at": day and datetime.combine(day, time(), UTC),
        },
    )


DECLARATION: Final = Declaration(
    name="shelf",
    title="Shelf",
    summary="Mirrors interactions as notes on a shelf, both ways.",
    settings=ShelfSettings,
    make=Shelf,
    fields=(
        MirroredField(
            name="title", remote_name="text", coarse=to_text, refine=to_title, loss="200 characters."
        ),
        MirroredField(name="status", remote_name="state"),
        MirroredField(
            name="scheduled_at",
            remote_name="day",
            coarse=to_day,
            refine=to_moment,
            loss="A note has a day only; the time of day is kept locally.",
        ),
    ),
    features=frozenset({"read", "find", "poll"}),
    hosts=lambda _settings: (),
    limits=(RateLimit(requests=20, seconds=1),),
    conditional_writes=True,
    guarantees=("The note of a deleted interaction is hidden, and deleted only if its customer is erased.",),
)
