"""A message that breaks the decoder, or waits for a silent registry, holds up none behind it."""

from __future__ import annotations

import threading
from typing import Any

import orjson
import pytest

from schemas import decode
from schemas.command import MAX_KEY_BYTES, MAX_VALUE_BYTES, Command, Refused
from schemas.errors import Retry, Stop
from streams.applier import decoding
from streams.applier.decoding import Decoding
from tests.harness.wire import event, new_id


class Delivered:
    """A message of the client."""

    def __init__(self, value: bytes, key: bytes = b"key", headers: Any = ()) -> None:
        self._value, self._key, self._headers = value, key, headers
        self.copied = False

    def __len__(self) -> int:
        return len(self._value)

    def topic(self) -> str:
        return "commands"

    def partition(self) -> int:
        return 2

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_800_000_000_000

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        self.copied = True
        return self._value

    def headers(self) -> Any:
        if isinstance(self._headers, Exception):
            raise self._headers
        return list(self._headers)


def _message(**options: Any) -> Any:
    entity = new_id()
    message = event("interaction.create", entity, {"interactionType": "call"}, command_id="c-1")
    return Delivered(orjson.dumps(message), entity.encode(), **options)


def _avro() -> Any:
    message = _message()
    headers = [
        (f"ce_{name}", value.encode())
        for name, value in orjson.loads(message.value()).items()
        if isinstance(value, str)
    ]
    return Delivered(b"\x00\x00\x00\x00\x05body", message.key(), headers)


def _no_avro(_: bytes) -> Any:
    raise AssertionError("no Avro here")


def _decoding(decode_avro: Any = _no_avro, waits: list[float] | None = None) -> Decoding:
    return Decoding(decode_avro, (waits if waits is not None else []).append, threading.Event())


def test_a_message_that_breaks_the_decoder_is_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    real, tries = decode.decode_record, []

    def decode_record(record: Any, decode_avro: Any) -> Any:
        tries.append(record)
        if b"breaks" in (record.value or b""):
            raise MemoryError("very private words")
        return real(record, decode_avro)

    monkeypatch.setattr(decoding, "decode_record", decode_record)
    under_test = _decoding()
    bad = _message()
    bad._value = bad._value.replace(b'"call"', b'"breaks"')
    refused = under_test.decode(bad)
    assert len(tries) == 2, "once more, before it is isolated"
    assert isinstance(refused, Refused)
    assert refused.undecodable
    assert refused.rejection.code == "internal_error"
    assert "MemoryError" in refused.rejection.detail
    assert "reference 2:7" in refused.rejection.detail
    assert "private" not in refused.rejection.detail
    assert refused.envelope.id == "c-1", "what can be read of it is in its answer"
    assert isinstance(under_test.decode(_message()), Command)


def test_when_every_message_breaks_the_decoder_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode_record(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(decoding, "decode_record", decode_record)
    under_test = _decoding()
    for _ in range(100):
        assert isinstance(under_test.decode(_message()), Refused)
    with pytest.raises(Stop, match="broken deployment"):
        under_test.decode(_message())


@pytest.mark.parametrize("error", [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), SystemError()], ids=repr)
def test_headers_that_the_client_cannot_read(error: Exception) -> None:
    refused = _decoding().decode(_message(headers=error))
    assert isinstance(refused, Refused)
    assert (refused.rejection.code, refused.record.left_out) == ("undecodable", ("headers",))
    assert refused.envelope.id == "c-1"


def test_a_message_that_cannot_be_read_at_all_is_known_by_its_place() -> None:
    refused = _decoding().decode(_message(headers=OSError()))
    assert isinstance(refused, Refused)
    assert (refused.record.partition, refused.record.offset) == (2, 7)
    assert refused.rejection.code == "internal_error"


@pytest.mark.parametrize("over", [0, 1])
def test_a_value_that_is_too_large_is_not_copied(over: int) -> None:
    message: Any = Delivered(b"x" * (MAX_VALUE_BYTES + over))
    refused = _decoding().decode(message)
    assert isinstance(refused, Refused)
    assert refused.rejection.code == ("too_large" if over else "undecodable")
    assert message.copied is not bool(over)
    assert refused.record.size == MAX_VALUE_BYTES + over


def test_a_key_that_is_too_large() -> None:
    refused = _decoding().decode(Delivered(b"{}", b"k" * (MAX_KEY_BYTES + 1)))  # type: ignore[arg-type]
    assert isinstance(refused, Refused)
    assert (refused.rejection.code, refused.record.key) == ("too_large", None)


def test_a_silent_registry_is_waited_for_once_and_then_its_records_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = [1000.0], []
    waits: list[float] = []

    def silent(value: bytes) -> Any:
        asked.append(value)
        now[0] += 50.0
        raise Retry("no answer")

    monkeypatch.setattr("streams.applier.decoding.time.monotonic", lambda: now[0])
    under_test = _decoding(silent, waits)
    for _ in range(2):
        refused = under_test.decode(_avro())
        assert isinstance(refused, Refused)
        assert refused.rejection.code == "schema_unavailable"
        assert refused.undecodable
        assert refused.envelope.id == "c-1"
    assert (len(asked), len(waits)) == (3, 2), "the second record does not wait again"
    assert isinstance(under_test.decode(_message()), Command), "JSON needs no registry"
