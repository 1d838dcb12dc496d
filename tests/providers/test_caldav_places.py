"""CalDAV paths and ownership: missing to-dos, spellings of paths, servers that rewrite objects."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import httpx2
import pytest
from pydantic import SecretStr

from connectors.providers.caldav import DECLARATION, CaldavSettings
from connectors.providers.caldav.url_paths import normal_path
from connectors.sdk.conformance import FULL
from connectors.sdk.remote import Gone, Intent, RemoteObject
from schemas.errors import NeedsAuth, Reject, Retry, Skip
from tests.providers.fake_calendar import HOME, FakeCalendar, multistatus, response
from tests.providers.linked import context

MARKER: Final = "integration-1.0193f1de-77aa-7bbb-8ccc-0123456789ab"
INTENT: Final = Intent(interaction_id="i-1", marker=MARKER, values=FULL)
PATH: Final = f"{HOME}{MARKER}.ics"


class TestMissing:
    """A 404 counts for one to-do only if its calendar answers."""

    def test_a_deleted_one_is_gone(self) -> None:
        server = FakeCalendar()
        provider = server.provider()
        provider.create(INTENT)
        del server.objects[PATH]
        assert provider.read(PATH) == Gone(external_id=PATH)

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_a_calendar_that_is_away_asks_for_a_person(self, status: int) -> None:
        server = FakeCalendar()
        provider = server.provider()
        made = provider.create(INTENT)
        server.objects_missing, server.calendar_status = True, status
        calls: list[Callable[[], object]] = [
            lambda: provider.read(PATH),
            lambda: provider.update(PATH, {"title": "new"}, made),
            lambda: provider.archive(PATH),
            lambda: provider.restore(PATH, FULL),
        ]
        for call in calls:
            with pytest.raises(NeedsAuth):
                call()

    @pytest.mark.parametrize("status", [500, 502, 503, 429])
    def test_a_calendar_that_is_down_is_waited_for(self, status: int) -> None:
        server = FakeCalendar()
        provider = server.provider()
        provider.create(INTENT)
        server.objects_missing, server.calendar_status = True, status
        with pytest.raises(Retry):
            provider.read(PATH)

    def test_an_object_that_the_calendar_still_lists_is_not_gone(self) -> None:
        server = FakeCalendar()
        provider = server.provider()
        provider.create(INTENT)
        server.objects_missing = True
        with pytest.raises(Retry, match="lists a to-do"):
            provider.read(PATH)

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_new_one_is_not_refused_for_a_calendar_that_is_away(self, status: int) -> None:
        server = FakeCalendar()
        provider = server.provider()
        provider.health()
        server.refused["PUT", PATH], server.calendar_status = status, 404
        with pytest.raises(NeedsAuth):
            provider.create(INTENT)


class TestRefused:
    """A 403 for one to-do blocks only that one."""

    def test_one_write_is_refused_while_the_calendar_answers(self) -> None:
        server = FakeCalendar()
        provider = server.provider()
        made = provider.create(INTENT)
        server.refused["PUT", PATH] = 403
        with pytest.raises(Reject, match="HTTP 403"):
            provider.update(PATH, {"title": "new"}, made)
        assert provider.health().ok

    def test_one_read_is_refused_while_the_calendar_answers(self) -> None:
        server = FakeCalendar()
        provider = server.provider()
        provider.create(INTENT)
        server.refused["GET", PATH] = 403
        with pytest.raises(Reject, match="HTTP 403"):
            provider.read(PATH)

    @pytest.mark.parametrize("status", [401, 403])
    def test_the_calendar_itself_is_refused(self, status: int) -> None:
        server = FakeCalendar()
        provider = server.provider()
        made = provider.create(INTENT)
        server.refused["PUT", PATH], server.calendar_status = 403, status
        with pytest.raises(NeedsAuth):
            provider.update(PATH, {"title": "new"}, made)

    def test_a_calendar_that_may_only_be_read_asks_for_a_person(self) -> None:
        server = FakeCalendar(privileges=("read",))
        provider = server.provider()
        server.refused["PUT", PATH] = 403
        with pytest.raises(NeedsAuth, match="read-only"):
            provider.create(INTENT)


class TestSpelling:
    """Two spellings of one path are one object."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("/dav/cal-p.ics", "/dav/cal%2Dp.ics"),
            ("/dav/%7euser/a.ics", "/dav/~user/a.ics"),
            ("/dav/ada%40example.org/a.ics", "/dav/ada@example.org/a.ics"),
            ("/dav/a%c3%a4.ics", "/dav/a%C3%A4.ics"),
            ("/dav/aä.ics", "/dav/a%C3%A4.ics"),
            ("/dav/./x/../a.ics", "/dav/a.ics"),
            ("/dav/%2e%2E/a.ics", "/a.ics"),
            ("/dav/a b.ics", "/dav/a%20b.ics"),
            ("/a/b/..", "/a/"),
        ],
    )
    def test_equal_paths(self, one: str, other: str) -> None:
        assert normal_path(one) == normal_path(other)
        assert normal_path(normal_path(one)) == normal_path(one)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("/dav/a%2Fb.ics", "/dav/a/b.ics"), ("/dav/a", "/dav/a/"), ("/dav/A", "/dav/a"), ("/a%252D", "/a-")],
    )
    def test_different_paths(self, one: str, other: str) -> None:
        assert normal_path(one) != normal_path(other)

    def test_reports_and_writes_name_one_object(self) -> None:
        server = FakeCalendar(spelled=lambda path: path.replace("-", "%2D").replace("i", "%69"))
        provider = server.provider()
        made = provider.create(INTENT)
        page = provider.changes(None)
        assert [change.external_id for change in page.changes] == [made.external_id]
        del server.objects[PATH]
        server.removed.append(PATH)
        [gone] = provider.changes(page.cursor).changes
        assert (gone.kind, gone.external_id) == ("gone", made.external_id)

    def test_an_old_spelling_is_read_under_the_one_that_is_kept(self) -> None:
        server = FakeCalendar()
        provider = server.provider()
        made = provider.create(INTENT)
        seen = provider.read(PATH.replace("-", "%2D"))
        assert isinstance(seen, RemoteObject)
        assert seen.external_id == made.external_id


def _renamed(text: str) -> str:
    """A server that replaces every UID and drops X- properties."""
    text = re.sub(r"UID:.*", "UID:4711\r", text)
    return re.sub(r"X-CUSTOMER.*\r\n", "", text)


class TestOwnership:
    """A to-do that we created stays ours, however the server rewrites it."""

    def test_a_server_that_renames_the_uid_and_drops_our_property(self) -> None:
        server = FakeCalendar(stored=_renamed)
        provider = server.provider()
        made = provider.create(INTENT)
        assert "integration-1" not in server.objects[PATH], "it names us nowhere"
        assert (made.external_id, made.marker) == (PATH, MARKER)
        seen = provider.read(PATH)
        assert isinstance(seen, RemoteObject)
        changed = provider.update(PATH, {"title": "new"}, seen)
        assert isinstance(changed, RemoteObject)
        assert changed.values["title"] == "new"
        found = provider.find_by_marker(MARKER)
        assert found is not None
        [change] = provider.changes(None).changes
        assert change.state is not None
        assert change.state.marker == MARKER

    def test_a_foreign_object_with_a_name_of_another_kind_is_left_alone(self) -> None:
        server = FakeCalendar(stored=_renamed)
        provider = server.provider()
        made = provider.create(INTENT)
        for name in ("foreign.ics", MARKER.replace("integration-1", "integration-2") + ".ics"):
            server.objects[f"{HOME}{name}"] = server.objects[made.external_id]
            with pytest.raises(Skip, match="made by others"):
                provider.read(f"{HOME}{name}")
        assert set(provider.changes(None).skipped.values()) == {"made by others"}


def test_a_forgotten_token_begins_a_complete_listing() -> None:
    server = FakeCalendar()
    provider = server.provider()
    provider.create(INTENT)
    first = provider.changes(None)
    assert first.starts_full_listing
    assert not provider.changes(first.cursor).starts_full_listing
    server.forgets = True
    assert provider.changes(first.cursor).starts_full_listing


class TestChoice:
    """A URL above the calendars, and a setting that does not match exactly one of them."""

    @pytest.mark.parametrize(
        ("wanted", "names", "told"),
        [
            (None, ("Work", "Home"), ["several", "'Work' at /home/0/", "'Home' at /home/1/"]),
            ("work", ("Work",), ["'work' does not match one calendar", "'Work' at /home/0/"]),
            ("Work", ("Work", "Work"), ["'Work' at /home/0/", "'Work' at /home/1/"]),
            (None, (), ["no calendar for to-dos"]),
        ],
    )
    def test_the_calendars_are_named(
        self, wanted: str | None, names: tuple[str, ...], told: list[str]
    ) -> None:
        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.headers["depth"] == "1":
                kind = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
                return multistatus(
                    "".join(
                        response(f"/home/{number}/", f"{kind}<d:displayname>{name}</d:displayname>")
                        for number, name in enumerate(names)
                    )
                )
            home = "<c:calendar-home-set><d:href>/home/</d:href></c:calendar-home-set>"
            user = "<d:current-user-principal><d:href>/me/</d:href></d:current-user-principal>"
            return multistatus(response("/", f"{home}{user}"))

        settings = CaldavSettings(
            url="https://dav.example/", username="u", password=SecretStr("the password"), calendar=wanted
        )
        provider = DECLARATION.make(settings, context(httpx2.MockTransport(answer)))
        with pytest.raises(NeedsAuth) as refusal:
            provider.changes(None)
        assert all(part in str(refusal.value) for part in told), refusal.value
