"""Values are escaped, links lead to safe addresses, and a return address stays on this site."""

from __future__ import annotations

import pytest

from web.page_route import local_path
from web.rendering import query, safe_link


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "x", "/a\nb"],
)
def test_a_return_address_stays_here(address: str) -> None:
    assert local_path(address, "/backend") == "/backend"


def test_a_local_path_is_kept() -> None:
    assert (
        local_path("/backend/customer-tasks?group=today&q=a%20b", "/x")
        == "/backend/customer-tasks?group=today&q=a%20b"
    )


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", None, "vbscript:x"]
)
def test_a_link_that_could_run_code_is_none(address: str | None) -> None:
    assert safe_link(address) is None


def test_unset_filters_are_not_in_the_address() -> None:
    assert query("/backend", q="ä b", owner=None, group="") == "/backend?q=%C3%A4+b"
    assert query("/backend", q=None) == "/backend"
