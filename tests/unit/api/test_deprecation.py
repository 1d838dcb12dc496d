"""Headers of the deprecated routes: the dates of RFC 9745 and RFC 8594, the links, and the migration page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest

from api.adapters.deprecation import deprecation_headers
from api.routes import migration_page
from runtime.gateway_settings import GatewaySettings, read_gateway_settings
from schemas.errors import Stop

PAGE = (Path(__file__).parents[3] / "docs/migration.md").read_text()


def test_the_dates_are_those_of_the_settings() -> None:
    settings = GatewaySettings(
        deprecated_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        sunset_at=datetime(2027, 2, 3, 4, 5, 6, tzinfo=UTC),
        migration_url="https://example.org/move",
    )
    assert deprecation_headers(settings) == {
        "Deprecation": "@1767323045",
        "Sunset": "Wed, 03 Feb 2027 04:05:06 GMT",
        "Link": '<https://example.org/move>; rel="deprecation"; type="text/html", '
        '<https://example.org/move>; rel="sunset"; type="text/html", '
        '</api/customers/interactions>; rel="successor-version"',
    }


def test_a_sunset_before_the_deprecation_is_refused() -> None:
    with pytest.raises(Stop, match="SUNSET_AT"):
        read_gateway_settings(
            deprecated_at=datetime(2027, 1, 1, tzinfo=UTC), sunset_at=datetime(2026, 1, 1, tzinfo=UTC)
        )


def test_the_page_shows_the_headers_as_they_are() -> None:
    block = re.search(r"```\n(.*?)\n```", PAGE, re.DOTALL)
    assert block
    assert dict(line.split(": ", 1) for line in block[1].splitlines()) == deprecation_headers(
        GatewaySettings()
    )


def test_the_gateway_serves_the_page_of_the_documentation() -> None:
    assert escape(PAGE) in migration_page._page()
