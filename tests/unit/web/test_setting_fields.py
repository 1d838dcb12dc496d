"""Forms that follow from a declaration send what the person changed, and never show a secret."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import Reject
from tests.unit.web.viewers import a_form
from web.setting_fields import changes_of, inputs_of


def field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    given = {
        "format": None,
        "choices": None,
        "required": False,
        "secret": False,
        "default": None,
        "help": "h",
    }
    return {"name": name, "type": kind, **given, **more}


_FIELDS = [
    field("url", required=True),
    field("token", required=True, secret=True),
    field("limit", "integer", default=100),
    field("share", "number", default=0.2),
    field("types", "list", default=[]),
    field("all", "boolean", default=False),
    field("time", format="time", default="09:00:00"),
    field("mode", choices=["cancel", "keep"], default="cancel"),
]


def test_inputs_show_stored_values_and_defaults_but_no_secret() -> None:
    stored = {"url": "https://x", "types": ["call", "task"], "token": "must not be shown"}
    shown = {it.name: it for it in inputs_of("settings", _FIELDS, stored)}
    assert {name: it.value for name, it in shown.items()} == {
        "settings.url": "https://x",
        "secrets.token": "",
        "settings.limit": "100",
        "settings.share": "0.2",
        "settings.types": "call\ntask",
        "settings.all": "false",
        "settings.time": "09:00:00",
        "settings.mode": "cancel",
    }
    assert [it.kind for it in shown.values()] == [
        "text",
        "secret",
        "integer",
        "number",
        "list",
        "boolean",
        "time",
        "choice",
    ]
    assert "must not be shown" not in str(shown)


def test_labels_are_words() -> None:
    [shown] = inputs_of("settings", [field("api_board_id")], None)
    assert shown.label == "API board ID"


def test_a_secret_is_required_only_for_a_new_integration() -> None:
    required = {
        new: {it.name for it in inputs_of("settings", _FIELDS, None if new else {}) if it.required}
        for new in (True, False)
    }
    assert required == {True: {"settings.url", "secrets.token"}, False: {"settings.url"}}


def test_only_what_the_person_changed_is_sent() -> None:
    form = a_form(
        **{
            "settings.url": "https://same ",
            "was-settings.url": "https://same",
            "settings.limit": "7",
            "was-settings.limit": "100",
            "settings.share": "",
            "was-settings.share": "0.2",
            "settings.types": "call\r\n\r\n task \r\n",
            "was-settings.types": "",
            "settings.all": "true",
            "was-settings.all": "false",
            "secrets.token": "",
            "settings.unknown": "x",
        }
    )
    assert changes_of(form, "settings", _FIELDS) == {
        "limit": 7,
        "share": None,
        "types": ["call", "task"],
        "all": True,
    }
    assert changes_of(form, "secrets", _FIELDS) == {}


def test_a_typed_secret_is_sent_as_typed_and_among_the_secrets_only() -> None:
    form = a_form(**{"secrets.token": " with blanks ", "settings.token": "by mistake"})
    assert changes_of(form, "secrets", _FIELDS) == {"token": " with blanks "}
    assert changes_of(form, "settings", _FIELDS) == {}


@pytest.mark.parametrize(("name", "text"), [("limit", "1.5"), ("limit", "many"), ("share", "half")])
def test_a_number_that_is_none_names_its_field(name: str, text: str) -> None:
    with pytest.raises(Reject) as caught:
        changes_of(a_form(**{f"settings.{name}": text}), "settings", _FIELDS)
    assert [error.pointer for error in caught.value.errors] == [f"/settings/{name}"]
