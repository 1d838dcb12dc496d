"""CalDAV specifics: discovery, time zones, concurrent clients, unusual servers."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from connectors.providers.caldav import DECLARATION, CaldavSettings
from connectors.sdk.conformance import FULL
from connectors.sdk.provider import Provider
from connectors.sdk.remote import Gone, Intent, RemoteObject
from schemas.errors import Conflict, NeedsAuth, Reject, Retry, Skip
from tests.providers.linked import context
from tests.providers.radicale_server import USER
from tests.providers.test_caldav import EVENT, FOREIGN, CaldavHarness, harness, server
from tests.providers.test_vtodo import stored

__all__ = ["harness", "server"]

INTENT: Final = Intent(interaction_id="i-1", marker="m-1", values=FULL)
TODO: Final = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VTODO\r\nUID:m-1@customer-interactions\r\n"
    "DTSTAMP:20260101T000000Z\r\nSUMMARY:There\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)


def _read(provider: Provider, external_id: str) -> RemoteObject:
    seen = provider.read(external_id)
    assert isinstance(seen, RemoteObject)
    return seen


def _with(harness: CaldavHarness, **settings: Any) -> Provider:
    """The provider under test with other settings."""
    return DECLARATION.make(harness.settings.model_copy(update=settings), harness.context)


class TestDiscovery:
    """Discovery from any URL that users paste."""

    def test_every_address_leads_to_the_calendar(self, harness: CaldavHarness) -> None:
        made = harness.provider.create(INTENT)
        calendar = str(harness.calendar.url)
        for url in (harness.server.url, f"{harness.server.url}/", f"{harness.server.url}/{USER}/"):
            assert _read(_with(harness, url=url), made.external_id).marker == "m-1"
        direct = _with(harness, url=calendar, calendar=None)
        assert direct.find_by_marker("m-1") is not None
        assert urlsplit(calendar).path in made.external_id

    def test_one_of_several_must_be_named(self, harness: CaldavHarness) -> None:
        other = harness.server.new_calendar("Another list")
        try:
            with pytest.raises(NeedsAuth, match="set `calendar`"):
                _with(harness, calendar=None).health()
            with pytest.raises(NeedsAuth, match=r"'Nowhere' does not match one calendar.*'Another list' at "):
                _with(harness, calendar="Nowhere").health()
            assert harness.provider.health().ok
        finally:
            other.delete()  # type: ignore[no-untyped-call]

    def test_a_calendar_for_events_only_is_not_offered(self, harness: CaldavHarness) -> None:
        events = harness.server.new_calendar("Events", supported_calendar_component_set=["VEVENT"])
        try:
            with pytest.raises(NeedsAuth, match="'Events' does not match one calendar") as refused:
                _with(harness, calendar="Events").health()
            assert "'Events' at" not in str(refused.value)
            assert _with(harness, calendar=None).health().ok
        finally:
            events.delete()  # type: ignore[no-untyped-call]

    @pytest.mark.parametrize("url", ["http://dav.example/", "ftp://dav.example/", "https://a:b@dav.example/"])
    def test_an_address_that_would_tell_the_password_is_refused(self, url: str) -> None:
        with pytest.raises(ValidationError, match=r"https|credentials"):
            CaldavSettings(url=url)


class TestTwoClients:
    """The provider and the `caldav` library edit the same to-do at the same time."""

    def test_no_edit_of_either_is_lost(self, harness: CaldavHarness) -> None:
        made = harness.provider.create(Intent(interaction_id="i", marker="m-1", values={**FULL, "body": "0"}))
        rounds, failures = 8, []

        def ours() -> None:
            seen = made
            for number in range(1, rounds + 1):
                while True:
                    try:
                        answer = harness.provider.update(made.external_id, {"title": f"t{number}"}, seen)
                    except (Conflict, Retry):  # Xandikos answers 423 while it stores another write
                        seen = _read(harness.provider, made.external_id)
                        continue
                    assert isinstance(answer, RemoteObject)
                    seen = answer
                    break

        def theirs() -> None:
            for number in range(1, rounds + 1):
                for _ in range(2_000):  # once our side is done, the write succeeds
                    todo = harness.theirs(made.external_id)
                    with todo.edit_icalendar_component() as component:
                        component.pop("DESCRIPTION", None)
                        component.add("DESCRIPTION", str(number))
                    etag = todo.props.get("{DAV:}getetag")
                    answer = harness.calendar.client.put(
                        str(todo.url), todo.data, {"If-Match": etag, "Content-Type": "text/calendar"}
                    )
                    if answer.status in {200, 201, 204}:
                        break
                    # Xandikos answers 423 while it stores another write, and 500 when two collide.
                    assert answer.status in {412, 423, 500}, answer.status
                else:
                    raise AssertionError(f"their edit {number} was never stored")

        def guarded(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=guarded, args=(work,)) for work in (ours, theirs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert failures == []
        seen = _read(harness.provider, made.external_id)
        assert (seen.values["title"], seen.values["body"]) == (f"t{rounds}", str(rounds))
        sequence = [line for line in harness.theirs(made.external_id).data.splitlines() if "SEQUENCE" in line]
        assert int(sequence[0].partition(":")[2]) >= rounds

    @pytest.mark.parametrize("what", ["update", "archive", "restore"])
    def test_a_write_between_our_read_and_our_write_conflicts(
        self, harness: CaldavHarness, what: str
    ) -> None:
        made = harness.provider.create(INTENT)
        calls: dict[str, Callable[[], object]] = {
            "update": lambda: harness.provider.update(made.external_id, {"title": "ours"}, made),
            "archive": lambda: harness.provider.archive(made.external_id),
            "restore": lambda: harness.provider.restore(made.external_id, {**FULL, "title": "ours"}),
        }
        harness.transport.before_write = lambda: harness.edit(made.external_id, {"body": "theirs"})
        with pytest.raises(Conflict):
            calls[what]()
        assert harness.transport.before_write is None
        seen = _read(harness.provider, made.external_id)
        assert (seen.values["title"], seen.values["body"]) == (FULL["title"], "theirs")

    def test_both_complete_it(self, harness: CaldavHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.theirs(made.external_id).complete()
        with pytest.raises(Conflict):
            harness.provider.update(made.external_id, {"status": "done"}, made)
        seen = _read(harness.provider, made.external_id)
        assert seen.values["status"] == "done"
        assert isinstance(seen.values["occurred_at"], datetime), "their moment of completion"
        reopened = {"status": "planned", "occurred_at": None}
        ours = harness.provider.update(made.external_id, reopened, seen)
        assert isinstance(ours, RemoteObject)
        assert "COMPLETED" not in harness.theirs(made.external_id).data

    def test_their_due_date_without_a_time(self, harness: CaldavHarness) -> None:
        made = harness.provider.create(INTENT)
        todo = harness.theirs(made.external_id)
        with todo.edit_icalendar_component() as component:
            component.pop("DUE")
            component.add("DUE", datetime(2031, 7, 1, tzinfo=UTC).date())
        todo.save()
        assert _read(harness.provider, made.external_id).values["scheduled_at"] == datetime(
            2031, 7, 1, 9, tzinfo=UTC
        )


class TestMaking:
    """Creation is idempotent per marker."""

    def test_a_second_create_finds_the_first(self, harness: CaldavHarness) -> None:
        first = harness.provider.create(INTENT)
        harness.edit(first.external_id, {"title": "theirs"})
        still_there = harness.add_foreign_data(first.external_id)
        again = harness.provider.create(INTENT)
        assert (again.external_id, again.values["title"]) == (first.external_id, FULL["title"])
        assert still_there(), "what others have added to it was overwritten"
        assert harness.object_count() == 1

    def test_an_archived_one_comes_back(self, harness: CaldavHarness) -> None:
        first = harness.provider.create(INTENT)
        harness.provider.archive(first.external_id)
        again = harness.provider.create(INTENT)
        assert (again.archived, again.values["status"]) == (False, "planned")
        assert harness.object_count() == 1

    def test_one_that_was_moved_is_found_by_its_uid(self, harness: CaldavHarness) -> None:
        harness.put(TODO)
        found = harness.provider.find_by_marker("m-1")
        assert found is not None
        assert found.values["title"] == "There"
        assert not found.external_id.endswith("/m-1.ics")

    def test_a_deleted_one_is_canceled_for_other_clients(self, harness: CaldavHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.provider.archive(made.external_id)
        assert "STATUS:CANCELLED" in harness.theirs(made.external_id).data


class TestPolling:
    """Sync-tokens, and what is skipped."""

    def test_an_unknown_token_starts_over(self, harness: CaldavHarness) -> None:
        made = harness.provider.create(INTENT)
        page = harness.provider.changes(
            "http://radicale.org/ns/sync/0000000000000000000000000000000000000000"
        )
        assert [change.external_id for change in page.changes] == [made.external_id]
        assert harness.provider.changes(page.cursor).changes == ()

    def test_more_than_one_multiget(self, harness: CaldavHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("connectors.providers.caldav.collection.MULTIGET_SIZE", 2)
        for number in range(5):
            harness.provider.create(dataclasses.replace(INTENT, marker=f"m-{number}"))
        assert len(harness.provider.changes(None).changes) == 5

    def test_others_are_taken_in_where_that_is_wanted(self, harness: CaldavHarness) -> None:
        path = harness.put(FOREIGN)
        harness.put(EVENT)
        provider = _with(harness, include_others=True)
        page = provider.changes(None)
        assert [change.external_id for change in page.changes] == [path]
        assert page.skip_counts == {"no to-do": 1}
        seen = _read(provider, path)
        assert (seen.values["title"], seen.marker) == ("Buy milk", None)
        changed = provider.update(path, {"status": "done"}, seen)
        assert isinstance(changed, RemoteObject)
        assert changed.values["status"] == "done"

    def test_a_to_do_that_begins_to_repeat_is_not_written(self, harness: CaldavHarness) -> None:
        made = harness.provider.create(INTENT)
        todo = harness.theirs(made.external_id)
        todo.data = todo.data.replace("END:VTODO", "DTSTART:20310101T000000Z\nRRULE:FREQ=DAILY\nEND:VTODO")
        todo.save()
        before = harness.theirs(made.external_id).data
        calls: list[Callable[[], object]] = [
            lambda: harness.provider.read(made.external_id),
            lambda: harness.provider.update(made.external_id, {"title": "ours"}, made),
            lambda: harness.provider.archive(made.external_id),
        ]
        for call in calls:
            with pytest.raises(Skip, match="recurring"):
                call()
        assert harness.theirs(made.external_id).data == before


class TestOddServers:
    """Responses that the real servers under test never give; each maps to an error of the error tree."""

    def _provider(self, answer: Callable[[httpx2.Request], httpx2.Response]) -> Provider:
        settings = CaldavSettings(
            url="https://dav.example/cal/", username="u", password=SecretStr("the password")
        )
        return DECLARATION.make(settings, context(httpx2.MockTransport(answer)))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html/>",
            b"not xml",
            b'<!DOCTYPE x [<!ENTITY a "b">]><d:multistatus xmlns:d="DAV:">&a;</d:multistatus>',
            b'<multistatus xmlns="DAV:"><response><status>odd</status></response></multistatus>',
        ],
    )
    def test_xml_of_another_kind(self, body: bytes) -> None:
        provider = self._provider(lambda _: httpx2.Response(207, content=body))
        with pytest.raises(Retry):
            provider.health()

    def test_no_caldav_there(self) -> None:
        with pytest.raises(NeedsAuth, match="no CalDAV server"):
            self._provider(lambda _: httpx2.Response(404)).health()

    def test_credentials_go_to_no_other_server(self) -> None:
        asked: list[httpx2.URL] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            asked.append(request.url)
            return httpx2.Response(301, headers={"location": "https://evil.example/cal/"})

        with pytest.raises(Retry, match="redirect"):
            self._provider(answer).health()
        assert {url.host for url in asked} == {"dav.example"}

    def test_a_redirect_within_the_server_is_followed(self) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.url.path == "/cal/":
                return httpx2.Response(308, headers={"location": "/calendars/cal/"})
            return httpx2.Response(207, content=_multistatus("/calendars/cal/", "<c:calendar/>"))

        assert self._provider(answer).health().ok

    @pytest.mark.parametrize("location", ["0/steal", "http://host:28250/x", "//host:28250/x"])
    def test_no_redirect_makes_the_port_longer(self, location: str) -> None:
        asked: list[httpx2.URL] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            asked.append(request.url)
            return httpx2.Response(302, headers={"location": location})

        settings = CaldavSettings(url="https://host:2825/dav/", username="u", password=SecretStr("p"))
        with pytest.raises(Retry, match="redirects to"):
            DECLARATION.make(settings, context(httpx2.MockTransport(answer))).health()
        assert {(url.host, url.port) for url in asked} == {("host", 2825)}

    @pytest.mark.parametrize("tag", ['W/"x"', '"x-gzip"'])
    def test_a_tag_that_never_matches_is_replaced_by_the_reported_one(self, tag: str) -> None:
        written: list[str | None] = []
        marked = TODO.replace("SUMMARY", "X-CUSTOMER-INTERACTION:m-1\r\nSUMMARY")

        def answer(request: httpx2.Request) -> httpx2.Response:
            assert request.headers["accept-encoding"] == "identity"
            if request.method == "PROPFIND":
                return httpx2.Response(207, content=_multistatus("/cal/", "<c:calendar/>"))
            if request.method == "REPORT":
                body = (
                    '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>'
                    '<d:href>/cal/m-1.ics</d:href><d:propstat><d:prop><d:getetag>"x"</d:getetag>'
                    f"<c:calendar-data>{marked}</c:calendar-data></d:prop>"
                    "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
                )
                return httpx2.Response(207, content=body.encode())
            if request.method == "PUT":
                written.append(request.headers.get("if-match"))
                return httpx2.Response(204, headers={"etag": '"y"'})
            return httpx2.Response(200, content=marked.encode(), headers={"etag": tag})

        provider = self._provider(answer)
        seen = _read(provider, "/cal/m-1.ics")
        provider.update("/cal/m-1.ics", {"title": "ours"}, seen)
        assert written == ['"x"']

    @pytest.mark.parametrize("status", [400, 404, 405, 415, 501])
    def test_a_calendar_that_cannot_be_polled_says_why(self, status: int) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.method == "PROPFIND":
                return httpx2.Response(207, content=_multistatus("/cal/", "<c:calendar/>"))
            return httpx2.Response(status)

        with pytest.raises((NeedsAuth, Retry)) as caught:
            self._provider(answer).changes(None)
        assert f"dav.example answered HTTP {status}" in str(caught.value)
        assert "refuses the credentials" not in str(caught.value)

    def test_no_etag_means_reading_again(self) -> None:
        seen: list[str] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            seen.append(request.method)
            if request.method == "PROPFIND":
                return httpx2.Response(207, content=_multistatus("/cal/", "<c:calendar/>"))
            if request.method == "PUT":
                return httpx2.Response(201)
            return httpx2.Response(200, content=TODO.encode(), headers={"etag": '"changed"'})

        made = self._provider(answer).create(INTENT)
        assert (made.version, made.values["title"]) == ('"changed"', "There")
        assert seen == ["PROPFIND", "PUT", "GET"]

    @pytest.mark.parametrize(
        ("status", "expected"), [(400, Reject), (415, Reject), (507, Retry), (423, Retry)]
    )
    def test_a_refused_write(self, status: int, expected: type[Exception]) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.method == "PROPFIND":
                return httpx2.Response(207, content=_multistatus("/cal/", "<c:calendar/>"))
            return httpx2.Response(status, content=b"Call Ada Lovelace is refused")

        with pytest.raises(expected) as caught:
            self._provider(answer).create(INTENT)
        assert "Lovelace" not in str(caught.value)

    def test_an_object_that_the_server_cannot_read_is_no_conflict(self) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.method == "PUT":
                return httpx2.Response(412, content=b'<error xmlns="DAV:"><valid-calendar-data/></error>')
            return httpx2.Response(200, content=TODO.encode(), headers={"etag": '"1"'})

        provider = self._provider(answer)
        with pytest.raises(Reject, match="412"):
            provider.update("/cal/m-1.ics", {"title": "new"}, _read(provider, "/cal/m-1.ics"))

    def test_a_fold_inside_a_character_stays_one_character(self) -> None:
        written: list[bytes] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.method == "PUT":
                written.append(request.read())
            return httpx2.Response(200, content=stored("fold-inside-utf8"), headers={"etag": '"1"'})

        settings = CaldavSettings(url="https://dav.example/cal/", include_others=True)
        provider = DECLARATION.make(settings, context(httpx2.MockTransport(answer)))
        seen = _read(provider, "/cal/1.ics")
        assert seen.values["title"] == "Angebot für Müller"
        provider.update("/cal/1.ics", {"body": "new"}, seen)
        assert "SUMMARY:Angebot für Müller\r\n" in written[0].decode()

    def test_what_the_to_do_says_already_is_not_written(self) -> None:
        seen: list[str] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            seen.append(request.method)
            return httpx2.Response(200, content=TODO.encode(), headers={"etag": '"1"'})

        provider = self._provider(answer)
        before = _read(provider, "/cal/m-1.ics")
        assert provider.update("/cal/m-1.ics", {"title": "There", "scheduled_at": None}, before) == before
        assert provider.restore("/cal/m-1.ics", {"title": "There", "status": "planned"}) == before
        assert "PUT" not in seen

    def test_a_server_that_asks_for_patience(self) -> None:
        provider = self._provider(lambda _: httpx2.Response(503, headers={"retry-after": "30"}))
        with pytest.raises(Retry) as caught:
            provider.read("/cal/m-1.ics")
        assert caught.value.after == 30

    def test_410_is_gone(self) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.method in {"PROPFIND", "REPORT"}:
                return httpx2.Response(207, content=_multistatus("/cal/", "<c:calendar/>"))
            return httpx2.Response(410)

        assert self._provider(answer).read("/cal/x.ics") == Gone(external_id="/cal/x.ics")


def _multistatus(path: str, kind: str) -> bytes:
    return (
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>'
        f"<d:href>{path}</d:href><d:propstat><d:prop><d:resourcetype>{kind}</d:resourcetype></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
    ).encode()
