"""References stay within the server's origin; weak and compressed tags are recognized."""

from __future__ import annotations

import httpx2
import pytest

from connectors.providers.caldav.entity_tags import is_strong, same_tag, strong_tag
from connectors.sdk.same_origin import local_path, origin_text

BASE = "http://host:2825/dav/cal/"


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("0/steal", "/dav/cal/0/steal"),
        ("0", "/dav/cal/0"),
        ("@evil.example/x", "/dav/cal/@evil.example/x"),
        (".evil.example/x", "/dav/cal/.evil.example/x"),
        ("../other/", "/dav/other/"),
        ("../../../../etc", "/etc"),
        ("/calendars/ada/", "/calendars/ada/"),
        ("/cal%2Dp.ics", "/cal%2Dp.ics"),
        ("?token=1", "/dav/cal/?token=1"),
        ("", "/dav/cal/"),
        ("  /padded/ \r\n", "/padded/"),
        ("http://host:2825/x", "/x"),
        ("HTTP://HOST:2825/x", "/x"),
        ("http://user:pass@host:2825/x", "/x"),
        ("//host:2825/x", "/x"),
        ("http://host:28250/x", None),
        ("http://host/x", None),
        ("https://host:2825/x", None),
        ("http://host.evil.example:2825/x", None),
        ("http://host:2825@evil.example/x", None),
        ("//evil.example/x", None),
        ("http://evil.example\\@host:2825/x", "/x"),
        ("http://host:99999/x", None),
        ("http://host:port/x", None),
        ("http://[::1/x", None),
        ("ftp://host:2825/x", None),
        ("javascript:alert(1)", None),
    ],
)
def test_a_reference_is_resolved_before_its_origin_is_compared(reference: str, path: str | None) -> None:
    assert local_path(BASE, reference) == path


def test_default_ports_are_the_same_origin() -> None:
    assert local_path("https://dav.example/a/", "https://dav.example:443/b") == "/b"
    assert local_path("http://dav.example:80/a/", "http://dav.example/b") == "/b"


def test_the_origin_that_is_shown_holds_no_secret() -> None:
    assert origin_text(BASE, "https://u:p@evil.example/x?token=1") == "https://evil.example"
    assert origin_text(BASE, "/x?token=1") == "http://host:2825"
    assert origin_text(BASE, "http://[::1/x") == "an invalid URL"


@pytest.mark.parametrize(
    ("tag", "coding", "strong"),
    [
        ('"x"', "", '"x"'),
        ('"x"', "identity", '"x"'),
        ('"x"', "gzip", None),
        ('W/"x"', "", None),
        ('"x-gzip"', "", None),
        ('"x;br"', "", None),
        ('"x--gzip"', "", None),
        ('"a-gzip-b"', "", '"a-gzip-b"'),
        (None, "", None),
    ],
)
def test_only_the_tag_of_the_very_bytes_is_for_writes(
    tag: str | None, coding: str, strong: str | None
) -> None:
    headers = {} if tag is None else {"etag": tag}
    answer = httpx2.Response(200, headers=headers)
    if coding:
        answer.headers["content-encoding"] = coding
    assert strong_tag(answer) == strong


def test_tags_of_one_version_are_the_same() -> None:
    assert same_tag('"x"', 'W/"x"')
    assert same_tag('W/"x-gzip"', '"x"')
    assert not same_tag('"x"', '"y"')
    assert not same_tag(None, None)
    assert not is_strong(None)
