"""Interaction types in every script: decoder and auditor derive the same code from each text."""

from __future__ import annotations

import random

import pytest

from audit.type_code import type_code
from schemas.type_codes import normalize_interaction_type
from tests.harness.seed import SEED

_CODES = {
    "Follow-up  Call": "follow_up_call",
    "e-mail": "e_mail",
    "e\u2011mail": "e_mail",
    "e\u2013mail": "e_mail",
    "e\u2212mail": "e_mail",
    "e\u00admail": "email",
    "\ufeffcall\u200b": "call",
    "\u202acall\u202c": "call",
    "Ｃａｌｌ": "call",
    "İletişim": "iletişim",
    "I\u0307letis\u0327im": "iletişim",
    "ilətişim": "ilətişim",
    "Zürich-Gespräch": "zürich_gespräch",
    "हिन्दी कॉल": "हिन्दी_कॉल",
    "फ़ोन": "फ़ोन",
    "যোগাযোগ": "যোগাযোগ",
    "தமிழ் அழைப்பு": "தமிழ்_அழைப்பு",
    "โทรศัพท์": "โทรศัพท์",
    "שִׂיחָה": "שִׂיחָה",
    "مُكَالَمَة": "مُكَالَمَة",
    "می\u200cشود": "می\u200cشود",
    "ශ්\u200dරී": "ශ්\u200dරී",
    "a\u200db": "ab",
    "電話": "電話",
}


@pytest.mark.parametrize(("text", "code"), _CODES.items())
def test_a_type_is_normalised(text: str, code: str) -> None:
    assert normalize_interaction_type(text) == code
    assert type_code(text) == code


@pytest.mark.parametrize(
    "text",
    ["", " ", "-", "\u200d", "\u202e", "\u3164", "\u0301", "\u0301call", "Call / Email", "a+b", ".a"],
)
def test_a_text_that_is_not_a_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must consist of letters"):
        normalize_interaction_type(text)
    assert type_code(text) is None


def test_a_name_that_grows_beyond_the_limit_is_refused() -> None:
    """One ligature can expand to 18 letters, and an index row of Postgres holds 2,704 bytes."""
    with pytest.raises(ValueError, match="longer than 100"):
        normalize_interaction_type("\ufdfa" * 100)
    assert type_code("\ufdfa" * 100) is None


def test_a_code_is_its_own_code_and_read_alike() -> None:
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    telling = "İIi\u0307\u200c\u200d\u200eﷺﬃ\u2011\u2212ſ __بة\u094dक\u0e33\ufe0f"
    codes = 0
    for _ in range(5_000):
        letters = (
            chance.choice(telling) if chance.random() < 0.6 else chr(chance.randrange(0x3100))
            for _ in range(chance.randint(1, 6))
        )
        text = "".join(letters)
        try:
            code = normalize_interaction_type(text)
        except ValueError:
            assert type_code(text) is None, ascii(text)
            continue
        codes += 1
        assert normalize_interaction_type(code) == code, ascii(text)
        assert type_code(text) == code, ascii(text)
    assert codes > 1_000
