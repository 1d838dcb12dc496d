"""Request bodies as the data of commands: the members that were sent, at every depth."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.query_lists import one_or_more, parts_of
from api.routes.interaction_fix import InteractionFixBody

CALL, SIGNAL = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2))


def test_the_signals_of_a_fix_keep_what_was_sent() -> None:
    sent = {
        "id": CALL,
        "occurredAt": "2026-03-02T09:15:00Z",
        "title": None,
        "signals": [{"id": SIGNAL, "personId": None, "confidence": 5}],
    }
    body = InteractionFixBody.model_validate(sent)
    assert body.data() == {**sent, "occurredAt": "2026-03-02T09:15:00.000000Z"}
    assert InteractionFixBody.model_validate({"id": CALL}).data() == {"id": CALL}


def test_several_values_of_a_parameter() -> None:
    check = one_or_more("open", "resolved", "skipped")
    assert parts_of(check("skipped, open,open")) == ("open", "skipped")
    assert parts_of(None) is None
    for text in ("", "open,", "opened"):
        with pytest.raises(ValueError, match="must be open, resolved or skipped"):
            check(text)


def test_null_is_rejected_where_a_value_is_required() -> None:
    with pytest.raises(ValidationError):
        InteractionFixBody.model_validate({"id": CALL, "status": None})
