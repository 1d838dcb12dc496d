"""Secrets at rest."""

from __future__ import annotations

import base64
import os

import pytest

from runtime.secret_box import Sealed, make_secret_box
from schemas.errors import Stop


def _key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    box = make_secret_box(_key("k1"))
    sealed = box.seal("trello-1", {"token": "s3cret-token"})
    assert b"s3cret-token" not in sealed.content
    assert box.open("trello-1", sealed) == {"token": "s3cret-token"}
    assert sealed.content != box.seal("trello-1", {"token": "s3cret-token"}).content


def test_a_sealed_text_opens_in_its_own_row_only() -> None:
    box = make_secret_box(_key("k1"))
    sealed = box.seal("trello-1", {"token": "x"})
    with pytest.raises(Stop, match="cannot be decrypted"):
        box.open("trello-2", sealed)
    with pytest.raises(Stop, match="cannot be decrypted"):
        box.open("trello-1", Sealed("k1", sealed.content[:-1] + bytes([sealed.content[-1] ^ 1])))


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 12, b"x" * 40])
def test_damaged_content_is_refused(content: bytes) -> None:
    with pytest.raises(Stop, match="cannot be decrypted"):
        make_secret_box(_key("k1")).open("trello-1", Sealed("k1", content))


def test_rotation_reads_old_and_writes_new() -> None:
    old, new = _key("k1"), _key("k2")
    sealed = make_secret_box(old).seal("trello-1", {"token": "x"})
    both = make_secret_box(f"{new},{old}")
    assert both.open("trello-1", sealed) == {"token": "x"}
    assert both.seal("trello-1", {"token": "x"}).key_id == "k2"
    with pytest.raises(Stop, match="has no key 'k1'"):
        make_secret_box(new).open("trello-1", sealed)


@pytest.mark.parametrize("text", ["", "k1", "k1:abc", "k1:!!", ":" + "A" * 44, "k1:" + "A" * 24])
def test_a_key_of_another_form_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(Stop) as refused:
        make_secret_box(text)
    assert not text.partition(":")[2] or text.partition(":")[2] not in str(refused.value)
