"""Traps that a strict content security policy, or a hostile text, would turn into faults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_WEB = Path(__file__).parents[3] / "web"
_TEMPLATES = sorted((_WEB / "templates").rglob("*.html"))
#: Attributes that evaluate code or inject style, and those that htmx 4 no longer inherits.
_BANNED = {
    "inline handler": re.compile(r"\son[a-z]+\s*=", re.IGNORECASE),
    "htmx handler": re.compile(r"hx-on|hx-live|hx-vars|hx-headers"),
    "evaluated value": re.compile(r"""=\s*["']js(?:on)?:|javascript:""", re.IGNORECASE),
    "trigger filter": re.compile(r"hx-trigger=\"[^\"]*\["),
    "inline style": re.compile(r"\sstyle\s*=|<style", re.IGNORECASE),
    "inline script": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "unescaped value": re.compile(r"\|\s*safe\b|Markup\(|autoescape\s+false"),
    "other host": re.compile(r"""(?:src|href)=["']https?://""", re.IGNORECASE),
}
#: Bytes of a page with everything it loads, beside its own HTML.
_ASSETS_AT_MOST = 75_000
_OWN_SCRIPT_LINES = 150


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda it: it.name)
def test_templates_avoid_the_traps(template: Path) -> None:
    text = template.read_text()
    assert {name for name, pattern in _BANNED.items() if pattern.search(text)} == set()


def test_the_assets_are_small() -> None:
    loaded = ("app.css", "app.js", "htmx.min.js", "icons.svg", "icon.svg")
    assert sum((_WEB / "assets" / name).stat().st_size for name in loaded) <= _ASSETS_AT_MOST
    assert len((_WEB / "assets" / "app.js").read_text().splitlines()) <= _OWN_SCRIPT_LINES


def test_own_script_evaluates_nothing() -> None:
    text = (_WEB / "assets" / "app.js").read_text()
    assert not re.search(
        r"\beval\b|new Function|innerHTML|insertAdjacentHTML|document\.write|\.style\b", text
    )


def test_every_icon_of_a_template_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'symbol id="([a-z-]+)"', (_WEB / "assets" / "icons.svg").read_text()))
    named = {name for file in _TEMPLATES for name in re.findall(r"icon\(\"([a-z-]+)\"\)", file.read_text())}
    assert named <= sprite


def test_browsers_do_not_restore_hidden_fields() -> None:
    # Hazard: after a reload they would hold the version and the key of the page before it.
    hidden = re.compile(r'<input type="hidden"(?! autocomplete="off")')
    assert [file.name for file in _TEMPLATES if hidden.search(file.read_text())] == []


def test_no_field_hides_a_property_of_its_form() -> None:
    # Hazard: htmx names a form by its id, and a field named "id" would be found in its place.
    hiding = re.compile(
        r'<(?:input|button|select|textarea)[^>]* name="(?:id|action|method|reset|submit|elements)"'
    )
    assert [file.name for file in _TEMPLATES if hiding.search(file.read_text())] == []
