"""Format checks reject texts that end in a line feed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.command import Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.integration_decisions import WarningId
from schemas.type_codes import normalize_interaction_type
from schemas.values import Color, UuidText
from tests.harness.wire import event, new_id

_ROOT = Path(__file__).parents[2]
_PACKAGES = (
    "schemas",
    "domain",
    "runtime",
    "sinks",
    "streams",
    "connectors",
    "api",
    "web",
    "stack",
    "audit",
    "cli",
)


def _no_avro(_: bytes) -> Any:
    raise AssertionError("no Avro here")


@pytest.mark.parametrize("binary", [False, True], ids=["structured", "binary"])
@pytest.mark.parametrize("tail", ["\n", "\r\n", " ", "\x00", "\\.", "\t"], ids=repr)
@pytest.mark.parametrize("name", ["tenantid", "organizationid", "entityid"])
def test_a_scope_id_with_a_tail_is_refused(name: str, tail: str, binary: bool) -> None:
    message = event("interaction.create", new_id(), {"interactionType": "call"})
    message[name] += tail
    headers: tuple[tuple[str, bytes], ...] = ()
    value = orjson.dumps(message)
    if binary:
        headers = tuple((f"ce_{key}", text.encode()) for key, text in message.items() if key != "data")
        value = orjson.dumps(message["data"])
    record = IncomingRecord("commands", 0, 0, 1_800_000_000_000, message["entityid"].encode(), value, headers)
    refused = decode_record(record, _no_avro)
    assert isinstance(refused, Refused)
    assert refused.undecodable
    assert refused.rejection.code == "invalid_attribute"
    assert refused.rejection.errors[0].attribute == name
    field = {"tenantid": "tenant_id", "organizationid": "organization_id", "entityid": "entity_id"}[name]
    assert getattr(refused.envelope, field) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (UuidText, "11111111-1111-4111-8111-111111111111\n"),
        (WarningId, "11111111-1111-4111-8111-111111111111\n"),
        (Color, "#112233\n"),
    ],
)
def test_a_field_with_a_line_feed_is_refused(kind: Any, text: str) -> None:
    TypeAdapter(kind).validate_python(text.rstrip("\n"))
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


def test_a_type_is_one_word_whatever_surrounds_it() -> None:
    assert normalize_interaction_type("call\n") == "call"
    with pytest.raises(ValueError, match="letters"):
        normalize_interaction_type("a\u0001")


def test_no_pattern_of_re_ends_in_a_dollar_sign() -> None:
    """``$`` also matches before a final line feed: anchor with ``fullmatch`` or ``\\Z``."""
    found = [
        f"{path.relative_to(_ROOT)}:{node.lineno}"
        for package in _PACKAGES
        for path in (_ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _may_end_early(node)
    ]
    assert not found


def _may_end_early(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    of_re = isinstance(function.value, ast.Name) and function.value.id == "re"
    if of_re and function.attr in ("compile", "match", "search") and call.args:
        pattern = ast.unparse(call.args[0])
        return pattern.rstrip("'\"").endswith("$")
    # A pattern that is also anchored for pydantic: only a full match counts.
    named = isinstance(function.value, ast.Name) and function.value.id == "_UUID"
    return named and function.attr != "fullmatch"
