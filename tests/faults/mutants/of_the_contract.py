# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of command decoding: each accepts a record that the contract refuses, or the reverse."""

from __future__ import annotations

import re
from typing import Any

from tests.faults.mutants.catalogue import mutant

_FUZZ = "test:tests/unit/audit/test_reads_alike.py::test_every_record_is_read_alike"
_IDS = (
    "test:tests/unit/domain/test_repeats.py"
    "::test_an_id_like_the_place_of_an_undecodable_record_is_a_commands_own"
)


@mutant("the attribute validateonly is false unless it is true in some case", _FUZZ)
def dry_run_carried_out() -> None:
    from schemas import command_validation

    command_validation._flag_attribute = lambda attributes, name: str(attributes.get(name)).lower() == "true"


@mutant("yes and 1 are taken for true", _FUZZ)
def lenient_flags() -> None:
    from schemas import payloads

    class Lenient(payloads.InteractionTypeUpsert):
        actionable: bool | None = None
        strict: bool | None = None

    payloads.PAYLOADS["customers.interaction_type.upsert"] = Lenient


@mutant("an id may end with a line feed", _FUZZ)
def line_feed_after_an_id() -> None:
    from schemas import envelope

    loose = re.compile(f"^{envelope._UUID.pattern.strip('^$')}$")
    envelope.attribute_text = lambda text: text
    envelope._is_scope_id = lambda text: loose.match(text) is not None and text == text.lower()
    envelope._is_id = lambda texts, name: name in texts and loose.match(texts[name]) is not None


@mutant("a duplicate name in a JSON object is ignored", _FUZZ)
def repeated_name_taken() -> None:
    from schemas import cloudevents, decode

    cloudevents.repeated_member = decode.repeated_member = lambda _text, _parsed: None


@mutant("an instant may have any form of ISO 8601 that Python knows", _FUZZ)
def instants_by_python() -> None:
    from datetime import datetime

    from schemas import instants

    instants._from_text = datetime.fromisoformat


@mutant("null in an Avro command clears the field", _FUZZ)
def avro_null_kept() -> None:
    from schemas.avro_codec import AvroDecoder

    def decode_command(self: AvroDecoder, value: bytes) -> Any:
        return self.decode(value)

    AvroDecoder.decode_command = decode_command


@mutant("the name of an interaction type has no combining marks", _FUZZ)
def marks_refused() -> None:
    from schemas import type_codes

    type_codes._is_identifier = lambda code: re.fullmatch(r"\w[\w.:-]*", code) is not None


@mutant("commands and undecodable records share one space of ids", _IDS)
def shared_ids() -> None:
    from domain import log_identity, undo

    log_identity.logged_id = undo.logged_id = lambda command_id: command_id
