"""The form of an entry of the dictionary shows its values, and sees what someone else has changed."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import Reject
from tests.unit.web.viewers import a_form
from web.dictionary import Types, symbols
from web.routes.interaction_types import GREY, ICONS, _check_unchanged, forms_of

_ROW: dict[str, Any] = {
    "code": "gespräch:1",
    "label": "Gespräch",
    "icon": None,
    "color": None,
    "actionable": False,
}


def test_a_form_shows_the_values_of_its_entry() -> None:
    plain, own, unknown = forms_of(
        Types((_ROW, {**_ROW, "icon": "trash", "color": "#ABCDEF"}, {**_ROW, "icon": "brew"}))
    )
    assert plain.shown == {"label": "Gespräch", "icon": "", "color": GREY, "actionable": "false"}
    assert plain.id.isalnum()
    assert plain.icons == ICONS
    assert own.shown["color"] == "#abcdef", "as a browser writes it"
    assert own.icons == ("trash", *ICONS)
    assert unknown.icons == ICONS, "the sprite does not have it"


def test_every_offered_icon_is_in_the_sprite() -> None:
    assert set(ICONS) <= symbols()


@pytest.mark.parametrize(
    ("stored", "conflict"),
    [("Call", False), ("Ring", False), ("Phone", True)],
    ids=["as shown", "as wanted", "someone else's"],
)
def test_a_value_that_someone_else_changed_is_a_conflict(stored: str, conflict: bool) -> None:
    form = a_form(**{"label": "Ring", "was-label": "Call"})
    if conflict:
        with pytest.raises(Reject, match="Someone else") as refused:
            _check_unchanged(form, {"label": "Ring"}, {"label": stored, "icon": "star"})
        assert [(error.pointer, error.detail) for error in refused.value.errors] == [
            ("/label", "now “Phone”")
        ]
    else:
        _check_unchanged(form, {"label": "Ring"}, {"label": stored, "icon": "star"})
