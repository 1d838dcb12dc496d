"""Render templates: every value is escaped, and a missing one is an error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from web.dictionary import symbol_of
from web.filters import uuid_filter
from web.viewer import Viewer

_SAFE_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel", "sms"})


def render(template: str, viewer: Viewer, *, status: int = 200, **values: Any) -> Response:
    """A page for a signed-in viewer."""
    words, zone = viewer.language, viewer.zone

    def when(moment: datetime | None) -> Markup:
        return time_element(viewer, moment)

    html = (
        _environment()
        .get_template(template)
        .render(
            viewer=viewer,
            can=viewer.principal.has,
            t=words.text,
            when=when,
            number=words.number,
            zone=zone,
            **values,
        )
    )
    return Response(html, status_code=status, media_type="text/html")


def plain_page(
    template: str, *, status: int, headers: dict[str, str] | None = None, **values: Any
) -> Response:
    """A page or fragment that needs no viewer: a failed request may have none."""
    html = _environment().get_template(template).render(status=status, **values)
    return Response(html, status_code=status, media_type="text/html", headers=headers)


def time_element(viewer: Viewer, moment: datetime | None) -> Markup:
    """An instant in the viewer's zone, exact for machines and in the title."""
    if moment is None:
        return Markup("")
    words, zone = viewer.language, viewer.zone
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(), words.exact(moment, zone), words.moment(moment, zone)
    )


def asset(name: str) -> str:
    """The address of an asset, which changes with its content."""
    return f"/assets/{name}?v={_digest(name)}"


def safe_link(url: str | None) -> str | None:
    """An address to link to, or ``None`` if its scheme could run code or read files."""
    return url if url and urlsplit(url).scheme.lower() in _SAFE_SCHEMES else None


def icon(name: str) -> Markup:
    """An icon of the sprite, hidden from screen readers: the text beside it says the same."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>').format(
        asset("icons.svg"), name
    )


def query(path: str, **parameters: Any) -> str:
    """A path with the parameters that are set."""
    kept = {name: value for name, value in parameters.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(kept, doseq=True)}" if kept else path


def with_parameters(path: str, values: Mapping[str, str | None], *, drop: tuple[str, ...] = ()) -> str:
    """A path of this site with parameters set; ``None`` leaves one out.

    :param drop: further parameters to leave out.
    """
    parts = urlsplit(path)
    kept = [it for it in parse_qsl(parts.query) if it[0] not in values and it[0] not in drop]
    added = [(name, value) for name, value in values.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode([*kept, *added])))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((files("web") / "assets" / name).read_bytes()).hexdigest()[:8]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        asset=asset,
        icon=icon,
        query=query,
        safe_link=safe_link,
        type_icon=symbol_of,
        new_key=lambda: str(uuid4()),
    )
    environment.filters["is_uuid"] = lambda text: uuid_filter(text) is not None
    return environment
