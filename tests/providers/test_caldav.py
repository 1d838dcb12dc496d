"""CalDAV conformance, against a real server with a second real client."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
from caldav.calendarobjectresource import CalendarObjectResource, Todo
from pydantic import SecretStr

from connectors.providers.caldav import DECLARATION, CaldavSettings
from connectors.sdk.conformance import ProviderConformance, ProviderHarness
from tests.providers.linked import LossyTransport, context
from tests.providers.radicale_server import PASSWORD, USER, RadicaleServer, radicale
from tests.providers.xandikos_server import XandikosServer

RECURRING: Final = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//somebody//EN
BEGIN:VTODO
UID:weekly
DTSTAMP:20260101T000000Z
DTSTART:20260101T090000Z
SUMMARY:Water the plants
RRULE:FREQ=WEEKLY
X-CUSTOMER-INTERACTION:m-9
END:VTODO
END:VCALENDAR
"""
FOREIGN: Final = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//somebody//EN
BEGIN:VTODO
UID:foreign
DTSTAMP:20260101T000000Z
SUMMARY:Buy milk
END:VTODO
END:VCALENDAR
"""
EVENT: Final = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//somebody//EN
BEGIN:VEVENT
UID:event
DTSTAMP:20260101T000000Z
DTSTART:20260101T090000Z
SUMMARY:Party
END:VEVENT
END:VCALENDAR
"""


class CaldavHarness(ProviderHarness):
    """The provider in front of a real server; the `caldav` library is the other client."""

    def __init__(self, server: RadicaleServer | XandikosServer) -> None:
        self.server = server
        self.name = f"Follow-ups {uuid.uuid4().hex[:8]}"
        self.calendar: Any = server.new_calendar(self.name)
        self.transport = LossyTransport()
        self.settings = CaldavSettings(
            url=server.url, username=USER, password=SecretStr(PASSWORD), calendar=self.name
        )
        self.declaration = DECLARATION
        self.context = context(self.transport)
        self.provider = DECLARATION.make(self.settings, self.context)

    def close(self) -> None:
        """Delete the calendar and close the client."""
        self.calendar.delete()
        self.context.http.close()

    def object_count(self) -> int:
        return self.server.stored(self.calendar)

    def outage(self) -> AbstractContextManager[None]:
        return self.transport.outage()

    def lost_responses(self) -> AbstractContextManager[None]:
        return self.transport.unanswered()

    def revoked_credentials(self) -> AbstractContextManager[None]:
        return self.server.locked_out(self.transport)

    @contextlib.contextmanager
    def missing_collection(self) -> Iterator[None]:
        with self.server.moved_away(self.calendar):
            yield

    def theirs(self, external_id: str) -> Todo:
        """The to-do as the other client loads it."""
        url = str(self.calendar.url.join(external_id))
        todo = Todo(client=self.calendar.client, url=url, parent=self.calendar)
        todo.load()
        return todo

    def edit(self, external_id: str, values: Mapping[str, Any]) -> None:
        todo = self.theirs(external_id)
        with todo.edit_icalendar_component() as component:
            _set(component, values)
        todo.save()

    def delete(self, external_id: str) -> None:
        self.theirs(external_id).delete()

    def put(self, text: str) -> str:
        """Store a calendar object with the other client; its path."""
        made: Any = self.calendar.add_object(CalendarObjectResource, text)
        return urlsplit(str(made.url)).path

    def raw(self, external_id: str) -> bytes:
        """The octets on the server."""
        return bytes(self._request("GET", external_id).content)

    def overwrite(self, external_id: str, data: bytes) -> None:
        """Store these octets with the other client."""
        assert self.stores(external_id, data)

    def stores(self, external_id: str, data: bytes) -> bool:
        """Return whether the server accepts these octets from the other client."""
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        return self._request("PUT", external_id, content=data, headers=headers).is_success

    def _request(self, method: str, external_id: str, **options: Any) -> httpx2.Response:
        auth = (USER, PASSWORD)
        return httpx2.request(method, f"{self.server.url}{external_id}", auth=auth, timeout=20, **options)

    def create_foreign_objects(self) -> list[str]:
        return [self.put(text) for text in (RECURRING, FOREIGN, EVENT)]

    def add_foreign_data(self, external_id: str) -> Callable[[], bool]:
        todo = self.theirs(external_id)
        lines = 'CATEGORIES:Ä\\,b,c\r\nX-APPLE-SORT-ORDER;X-P="a,b":65 4321\r\nATTACH:https://a.example/b\r\n'
        alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Soon\r\nEND:VALARM\r\n"
        todo.data = todo.data.replace("END:VTODO", f"{lines}{alarm}END:VTODO").replace("\r\n", "\n")
        todo.save()
        before = self.theirs(external_id).data

        def still_there() -> bool:
            now = self.theirs(external_id).data
            kept = (
                "CATEGORIES",
                "X-APPLE",
                "ATTACH",
                "BEGIN:VALARM",
                "TRIGGER",
                "ACTION",
                "DESCRIPTION:Soon",
            )
            return (
                all(line in now.splitlines() for line in before.splitlines() if line.startswith(kept))
                and "X-APPLE" in now
            )

        return still_there


def _set(component: Any, values: Mapping[str, Any]) -> None:
    names = {"title": "SUMMARY", "body": "DESCRIPTION", "scheduled_at": "DUE", "occurred_at": "COMPLETED"}
    for name, value in values.items():
        if name in names:
            component.pop(names[name], None)
            component.add(names[name], value)
        elif name == "status":
            component.pop("STATUS", None)
            said = {"planned": "NEEDS-ACTION", "done": "COMPLETED", "canceled": "CANCELLED"}[value]
            component.add("STATUS", said)
        elif name == "priority":
            component.pop("PRIORITY", None)
            component.add("PRIORITY", 9 - round(value / 12.5))


@pytest.fixture(scope="module")
def server() -> Iterator[RadicaleServer]:
    with radicale() as running:
        yield running


@pytest.fixture
def harness(server: RadicaleServer) -> Iterator[CaldavHarness]:
    made = CaldavHarness(server)
    yield made
    made.close()


class TestConformance(ProviderConformance):
    """The conformance suite, as for every provider."""
