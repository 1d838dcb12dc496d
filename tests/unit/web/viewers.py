"""A viewer, and a form of theirs, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.principal import Principal
from web.day import days_of
from web.language import language_of
from web.submission import Submission
from web.viewer import Viewer


def a_viewer(
    *, csrf: str = "token", now: datetime | None = None, features: tuple[str, ...] = ("*",)
) -> Viewer:
    """Someone in Berlin who reads English."""
    principal = Principal(tenant_id="t", organization_id="o", subject="ada", features=frozenset(features))
    moment = now if now is not None else datetime.now(UTC)
    days = days_of(moment, ZoneInfo("Europe/Berlin"))
    return Viewer(principal=principal, name="Ada", csrf=csrf, language=language_of("en"), days=days)


def a_form(**fields: str) -> Submission:
    """A form that was sent."""
    nothing: Any = None
    return Submission(nothing, nothing, a_viewer(), fields, {name: [value] for name, value in fields.items()})
