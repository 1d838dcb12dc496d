"""Responses of CalDAV servers and of what stands before them: no odd one stops a poll or cancels anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

import httpx2
import pytest
from pydantic import SecretStr

from connectors.providers.caldav import DECLARATION, CaldavSettings
from connectors.providers.caldav.url_paths import normal_path
from connectors.providers.caldav.webdav import read_multistatus
from connectors.sdk.bounded_transport import ResponseTooLarge
from connectors.sdk.http_errors import Throttled
from connectors.sdk.provider import Provider
from connectors.sdk.remote import RemoteObject
from schemas.errors import NeedsAuth, Retry
from tests.providers.fake_calendar import HOME, FakeCalendar, multistatus, response
from tests.providers.linked import context

BASE: Final = "https://dav.example/cal/"
TODO: Final = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VTODO\r\nUID:{}\r\nDTSTAMP:20260101T000000Z\r\n"
    "SUMMARY:{}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
)
PAGE: Final = "<html><body>Please sign in</body></html>"


def server_with(*names: str) -> FakeCalendar:
    return FakeCalendar({f"{HOME}{name}.ics": TODO.format(name, f"Call {name}") for name in names})


def answering(answer: Callable[[httpx2.Request], httpx2.Response]) -> Provider:
    settings = CaldavSettings(url=BASE, username="u", password=SecretStr("the password"), include_others=True)
    return DECLARATION.make(settings, context(httpx2.MockTransport(answer)))


def over(
    server: FakeCalendar, change: Callable[[httpx2.Request, httpx2.Response], httpx2.Response | None]
) -> Provider:
    """The provider before a server whose responses something in between may replace."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        given = server._answer(request)
        given.request = request
        return change(request, given) or given

    return answering(answer)


def _status(number: int) -> str:
    return f"<d:status>HTTP/1.1 {number} Told</d:status>"


def _properties(names: str, number: int) -> str:
    return f"<d:propstat><d:prop>{names}</d:prop>{_status(number)}</d:propstat>"


def listed(provider: Provider, cursor: str | None = None) -> list[str]:
    return sorted(change.external_id for change in provider.changes(cursor).changes)


class TestXml:
    """Bodies that a strict parser refuses."""

    @pytest.mark.parametrize(
        ("before", "title", "after"),
        [
            ("", "a\x0bb\x00", ""),
            ("", "a&#x0B;b&#0;&#11;&#99999999;", ""),
            ("\r\n", "ab", ""),
            ("<br />\n<b>Deprecated</b>: strtolower() in /var/www on line 7<br />\n", "ab", ""),
            ("", "ab", "<br />\n<b>Warning</b>: Cannot modify header information"),
            ("\ufeff", "a\uffffb", "\x00"),
        ],
    )
    def test_one_to_do_or_a_message_of_the_server_hides_no_other(
        self, before: str, title: str, after: str
    ) -> None:
        body = (
            f'{before}<?xml version="1.0" encoding="utf-8"?><d:multistatus xmlns:d="DAV:">'
            f"<d:response><d:href>/cal/1.ics</d:href><d:propstat><d:prop><d:displayname>{title}</d:displayname>"
            f"</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>{after}"
        )
        if before.startswith("<"):
            body = body.replace("<?xml", "<!-- ?xml", 1).replace("?>", " -->", 1)
            with pytest.raises(Retry):  # another element comes first: no multi-status can be made out
                read_multistatus(body.encode(), BASE)
            return
        [found] = read_multistatus(body.encode(), BASE).resources
        assert found.text("{DAV:}displayname") == "ab"

    def test_a_document_type_inside_a_text_is_a_text(self) -> None:
        server = server_with("1", "2")
        server.objects[f"{HOME}1.ics"] = TODO.format("1", "Call\r\nX-ALT-DESC:<!DOCTYPE HTML><!ENTITY a>")

        def quoted(request: httpx2.Request, given: httpx2.Response) -> httpx2.Response | None:
            if b"calendar-multiget" not in request.content:
                return None
            texts = [
                response(
                    path, f"<d:getetag>x</d:getetag><c:calendar-data><![CDATA[{text}]]></c:calendar-data>"
                )
                for path, text in server.objects.items()
            ]
            return multistatus("".join(texts))

        assert listed(over(server, quoted)) == ["/cal/1.ics", "/cal/2.ics"]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_a_document_type_is_refused_in_every_encoding(self, encoding: str) -> None:
        body = (
            f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a "b">]>'
            '<d:multistatus xmlns:d="DAV:">&a;</d:multistatus>'
        )
        with pytest.raises(Retry):
            read_multistatus(body.encode(encoding), BASE)

    @pytest.mark.parametrize(
        "body",
        [
            '<?xml version="1.0" encoding="no-such"?><a/>',
            '<?xml version="1.0" encoding="utf-7"?><a/>',
            '<?xml version="1.0" encoding="rot13"?><d:multistatus xmlns:d="DAV:">\x0b</d:multistatus>',
            '<?xml version="1.0" encoding="hex"?><d:multistatus xmlns:d="DAV:">\x0b</d:multistatus>',
            "<multistatus/>",
            '<multistatus xmlns="urn:other"/>',
        ],
    )
    def test_what_is_no_multi_status_is_tried_later(self, body: str) -> None:
        with pytest.raises(Retry, match="not WebDAV"):
            read_multistatus(body.encode(), BASE)

    @pytest.mark.parametrize("piece", [b" ", b"<", b"&#", b"</multistatus ", b"<?xml ", b" encoding"])
    @pytest.mark.parametrize("begin", [b"", b"<?xml ", b"<?xml encoding", b"</multistatus"])
    def test_a_huge_body_is_refused_in_linear_time(self, begin: bytes, piece: bytes) -> None:
        began = time.process_time()
        with pytest.raises(Retry):
            read_multistatus(begin + piece * (300_000 // len(piece)), BASE)
        assert time.process_time() - began < 5

    def test_several_resources_may_share_one_status(self) -> None:
        body = (
            '<multistatus xmlns="DAV:"><response><href>/cal/1.ics</href><href> /cal/2.ics\n</href>'
            "<status>HTTP/1.1 404 Not Found</status></response></multistatus>"
        )
        found = read_multistatus(body.encode(), BASE).resources
        assert [(each.path, each.gone) for each in found] == [("/cal/1.ics", True), ("/cal/2.ics", True)]

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            ("HTTP/1.1 200 OK", 200),
            (" HTTP/2 404", 404),
            ("404 Not Found", 404),
            ("", 200),
            ("odd", 0),
            (" ", 0),
            ("HTTP/1.1 " + "9" * 5000, 0),
        ],
    )
    def test_an_odd_status_is_about_its_own_resource(self, line: str, status: int) -> None:
        body = (
            '<multistatus xmlns="DAV:"><response><href>/cal/1.ics</href>'
            f"<status>{line}</status></response><response><href>/cal/2.ics</href></response></multistatus>"
        )
        found = read_multistatus(body.encode(), BASE).resources
        assert [each.status for each in found] == [status, 200]


class TestNames:
    """References to objects."""

    @pytest.mark.parametrize(
        "spelled",
        ["//cal/1.ics", "/cal//1.ics", "/cal/./1.ics", "https://dav.example:443/cal/1.ics", "1.ics"],
    )
    def test_a_name_in_another_form_is_the_same_object(self, spelled: str) -> None:
        body = f'<multistatus xmlns="DAV:"><response><href>{spelled}</href></response></multistatus>'
        [found] = read_multistatus(body.encode(), BASE).resources
        assert normal_path(found.path) == "/cal/1.ics"

    def test_a_server_that_gives_its_objects_another_host_is_told_apart(self) -> None:
        server = server_with("1")
        server.spelled = lambda path: f"http://dav.example{path}"
        with pytest.raises(NeedsAuth, match=r"names its objects at http://dav\.example; set `url`"):
            server.provider(include_others=True).changes(None)


class TestReports:
    """Listings and the texts that belong to them."""

    def test_a_to_do_that_the_report_leaves_out_is_asked_for_alone(self) -> None:
        server = server_with(*"12345")

        def limited(request: httpx2.Request, given: httpx2.Response) -> httpx2.Response | None:
            if b"calendar-multiget" not in request.content:
                return None
            parts = given.text.split("<d:response>")
            return multistatus(
                "".join(f"<d:response>{each}" for each in parts[1:3]).replace("</d:multistatus>", "")
            )

        assert len(listed(over(server, limited))) == 5

    @pytest.mark.parametrize("told", ["nothing", "forbidden", "no data"])
    def test_a_to_do_that_is_never_reported_is_noted_with_the_reason(self, told: str) -> None:
        server = server_with("1", "2")

        def without(request: httpx2.Request, given: httpx2.Response) -> httpx2.Response | None:
            if b"calendar-multiget" not in request.content:
                return None
            forbidden = (
                f"<d:response><d:href>{HOME}1.ics</d:href><d:status>HTTP/1.1 403 No</d:status></d:response>"
            )
            about = {
                "nothing": "",
                "forbidden": forbidden,
                "no data": response(f"{HOME}1.ics", "<d:getetag/>"),
            }
            asked = given.text.partition("<d:response>")[2].rpartition("<d:response>")[2]
            return multistatus(
                about[told]
                + (f"<d:response>{asked}".replace("</d:multistatus>", "") if "2.ics" in asked else "")
            )

        page = over(server, without).changes(None)
        assert [change.external_id for change in page.changes] == [f"{HOME}2.ics"]
        assert page.skipped == {f"{HOME}1.ics": "the server does not report it"}

    @pytest.mark.parametrize("bad", [["1"], ["5"], ["1", "2", "3"], list("1234567")])
    @pytest.mark.parametrize("failure", [500, 413, "large"])
    def test_a_to_do_that_the_server_fails_on_holds_up_no_other(
        self, bad: list[str], failure: int | str
    ) -> None:
        server = server_with(*"1234567")

        def failing(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if b"calendar-multiget" not in request.content:
                return None
            if not any(f"{HOME}{name}.ics<".encode() in request.content for name in bad):
                return None
            if failure == "large":
                raise ResponseTooLarge("sent a response of more than 16 MiB", request=request)
            return httpx2.Response(int(failure))

        page = over(server, failing).changes(None)
        assert sorted(change.external_id for change in page.changes) == [
            f"{HOME}{name}.ics" for name in "1234567" if name not in bad
        ]
        assert set(page.skipped) == {f"{HOME}{name}.ics" for name in bad}
        assert all("cannot report it" in reason for reason in page.skipped.values())

    def test_an_outage_between_listing_and_texts_is_an_outage(self) -> None:
        server = server_with(*"1234567")
        down: list[httpx2.Request] = []

        def failing(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if down or b"calendar-multiget" in request.content:
                down.append(request)
                return httpx2.Response(502)
            return None

        with pytest.raises(Retry, match="502"):
            over(server, failing).changes(None)
        assert len(down) == 2, "one report, and one look at the calendar"

    def test_a_server_that_fails_on_all_is_not_asked_for_each(self) -> None:
        server = server_with(*(str(number) for number in range(300)))

        def failing(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            return httpx2.Response(500) if b"calendar-multiget" in request.content else None

        with pytest.raises(Retry, match="500"):
            over(server, failing).changes(None)
        assert sum(method == "REPORT" for method, _ in server.requests) < 80

    def test_the_own_rate_limit_is_no_fault_of_a_to_do(self) -> None:
        server = server_with("1", "2")

        def limited(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if b"calendar-multiget" in request.content:
                raise Throttled("used up", after=1)
            return None

        with pytest.raises(Throttled):
            over(server, limited).changes(None)

    def test_one_that_is_listed_and_deleted_at_once_counts_as_one_to_look_at(self) -> None:
        server = server_with("1", "2")
        server.removed = [f"{HOME}3.ics"]

        def odd(request: httpx2.Request, given: httpx2.Response) -> httpx2.Response | None:
            if b"sync-collection" not in request.content:
                return None
            more = "".join(
                f"<d:response><d:href>/cal/{name}.ics</d:href>{_status(status)}</d:response>"
                for name, status in (("1", 404), ("2", 201), ("4", 500))
            )
            return httpx2.Response(207, text=given.text.replace("<d:sync-token>", f"{more}<d:sync-token>\n "))

        page = over(server, odd).changes("token-0")
        kinds = {change.external_id: change.kind for change in page.changes}
        assert kinds == {f"{HOME}1.ics": "gone", f"{HOME}2.ics": "changed", f"{HOME}3.ics": "gone"}
        assert page.skipped == {f"{HOME}4.ics": "the server does not report it"}
        assert page.cursor == "token-1"

    @pytest.mark.parametrize(
        "refusal",
        [
            httpx2.Response(403),
            httpx2.Response(404),
            httpx2.Response(409),
            httpx2.Response(410),
            httpx2.Response(412),
            httpx2.Response(415),
            multistatus(""),
            multistatus(
                "<d:response><d:href>/cal/</d:href><d:status>HTTP/1.1 410 Gone</d:status></d:response>"
            ),
        ],
        ids=lambda each: f"{each.status_code}-{len(each.content)}",
    )
    def test_a_token_that_is_refused_in_any_way_begins_a_complete_listing(
        self, refusal: httpx2.Response
    ) -> None:
        server = server_with("1")

        def stale(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            return refusal if b"<d:sync-token>old<" in request.content else None

        page = over(server, stale).changes("old")
        assert page.starts_full_listing
        assert [change.external_id for change in page.changes] == [f"{HOME}1.ics"]

    @pytest.mark.parametrize(
        "changed",
        [
            "",
            "yesterday",
            "Fri, 31 Dec 9999 23:59:59 -0100",
            "Mon, 99 Foo 99999 99:99:99 GMT",
            "\x85",
            "1,2,3,4,5",
        ],
    )
    def test_an_odd_last_modified_is_no_defect(self, changed: str) -> None:
        server = server_with("1")

        def dated(request: httpx2.Request, given: httpx2.Response) -> httpx2.Response | None:
            if b"calendar-multiget" not in request.content:
                return None
            told = f"<d:getlastmodified>{escape(changed)}</d:getlastmodified><d:getetag>x</d:getetag>"
            return httpx2.Response(207, text=given.text.replace("<d:getetag>x</d:getetag>", told))

        [change] = over(server, dated).changes(None).changes
        assert change.occurred_at == datetime(2026, 1, 1, tzinfo=UTC), "the to-do's own stamp"


class TestMissing:
    """A deletion needs proof."""

    @pytest.mark.parametrize(
        ("about", "gone"),
        [
            ("", True),
            (_status(404), True),
            (_status(410), True),
            (_properties("<c:calendar-data/>", 404), True),
            (_status(403), False),
            (_status(500), False),
            (_status(423), False),
            (_properties("<c:calendar-data/>", 503), False),
            (_properties("<d:getetag>x</d:getetag>", 200) + _properties("<c:calendar-data/>", 404), False),
        ],
    )
    def test_only_an_object_that_the_report_does_not_know_is_gone(self, about: str, gone: bool) -> None:
        def told(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if b"calendar-multiget" not in request.content:
                return None
            named = f"<d:response><d:href>{HOME}1.ics</d:href>{about}</d:response>"
            return multistatus(named if about else "")

        provider = over(FakeCalendar(), told)
        if gone:
            assert not isinstance(provider.read(f"{HOME}1.ics"), RemoteObject)
        else:
            with pytest.raises(Retry, match="lists a to-do"):
                provider.read(f"{HOME}1.ics")


class TestFilters:
    """Servers that refuse the query for a UID."""

    @pytest.mark.parametrize("status", [400, 403, 405, 415])
    def test_a_to_do_is_found_without_the_query(self, status: int) -> None:
        server = server_with("1", "2")
        server.objects[f"{HOME}moved.ics"] = TODO.format("m-1@customer-interactions", "Call")
        refused = 0

        def refusing(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            nonlocal refused
            if b"calendar-query" not in request.content:
                return None
            refused += 1
            return httpx2.Response(status, text="no filters here")

        provider = over(server, refusing)
        found = provider.find_by_marker("m-1")
        assert found is not None
        assert found.external_id == f"{HOME}moved.ics"
        assert provider.find_by_marker("m-2") is None
        assert refused == 2

    def test_a_missing_calendar_is_no_empty_one(self) -> None:
        removed = False

        def missing(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if not removed:
                return None
            if request.method in {"GET", "REPORT"}:
                return httpx2.Response(404, text="no such calendar")
            return multistatus(f"<d:response><d:href>{HOME}</d:href>{_status(404)}</d:response>")

        provider = over(server_with("1"), missing)
        assert provider.health().ok
        removed = True
        with pytest.raises(NeedsAuth):
            provider.find_by_marker("m-1")

    def test_refused_access_is_told(self) -> None:
        def refusing(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            return httpx2.Response(403) if request.method in {"REPORT", "PROPFIND"} else None

        with pytest.raises(NeedsAuth):
            over(server_with("1"), refusing).find_by_marker("m-1")


class TestSignInPages:
    """A page of a proxy or a portal instead of the server's response."""

    def _page(self, method: str, server: FakeCalendar) -> Provider:
        def page(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if request.method != method:
                return None
            return httpx2.Response(200, html=PAGE, headers={"etag": '"page"'})

        return over(server, page)

    def test_it_is_no_to_do(self) -> None:
        with pytest.raises(Retry, match="web page"):
            self._page("GET", server_with("1")).read(f"{HOME}1.ics")

    def test_it_acknowledges_no_write(self) -> None:
        server = server_with("1")
        before = server.objects.copy()

        def page(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if request.method != "PUT":
                return None
            server.objects.update(before)
            return httpx2.Response(200, html=PAGE, headers={"etag": '"page"'})

        provider = over(server, page)
        seen = provider.read(f"{HOME}1.ics")
        assert isinstance(seen, RemoteObject)
        calls: list[Callable[[], object]] = [
            lambda: provider.update(f"{HOME}1.ics", {"title": "new"}, seen),
            lambda: provider.archive(f"{HOME}1.ics"),
        ]
        for call in calls:
            with pytest.raises(Retry, match="still returns the to-do as it was"):
                call()

    @pytest.mark.parametrize("status", [200, 202, 207])
    def test_it_acknowledges_no_deletion(self, status: int) -> None:
        server = server_with("1")

        def page(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            return httpx2.Response(status, html=PAGE) if request.method == "DELETE" else None

        with pytest.raises(Retry, match="still returns the to-do"):
            over(server, page).erase(f"{HOME}1.ics")

    def test_a_deletion_with_a_body_is_one(self) -> None:
        server = server_with("1")

        def deleted(request: httpx2.Request, _: httpx2.Response) -> httpx2.Response | None:
            if request.method != "DELETE":
                return None
            server.objects.clear()
            return httpx2.Response(200, text="<ok/>")

        over(server, deleted).erase(f"{HOME}1.ics")
        assert server.objects == {}
