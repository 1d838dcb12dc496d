"""Conformance suite for writers: inherit it, and pytest runs every check against your writer.

In the writer's test module, subclass :class:`WriterConformance` and define a pytest fixture ``harness`` that
yields a :class:`WriterHarness`: your writer, in front of a real or a scripted service if it uses one.
"""

from __future__ import annotations

import dataclasses
import re
import traceback
import unittest
from abc import ABC
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import cycle
from typing import Any, Final, get_args

from streams.drafts.writers.hostile_texts import FIELDS, FORBIDDEN, HOSTILE
from streams.drafts.writers.interface import (
    LIMITS,
    Channel,
    DraftRequest,
    Language,
    Writer,
    WritingFailedError,
    WrittenDraft,
)

#: A request with a value in every field.
FULL: Final = DraftRequest(
    tenant_id="tenant-1",
    organization_id="organization-1",
    signal_id="00000000-0000-4000-8000-000000000001",
    signal_kind="promise",
    signal_title="Send the revised quote for 40 seats",
    signal_body="She needs it before the board meeting.\nThe budget is 12,000.",
    channel="email",
    language="en",
    instruction="Mention that onboarding is included.",
    person_name="Ada Lovelace",
    interaction_type="call",
    interaction_title="Quarterly review",
    interaction_at=datetime(2026, 11, 12, 9, 30, tzinfo=UTC),
    next_at=datetime(2026, 12, 3, 9, tzinfo=UTC),
    sender_name="Grace Hopper",
)
#: Values of the fields that can be missing or blank.
EMPTY: Final[dict[str, Any]] = {
    "signal_title": " ",
    "signal_body": None,
    "instruction": None,
    "person_name": "",
    "interaction_type": "",
    "interaction_title": None,
    "interaction_at": None,
    "next_at": None,
    "sender_name": None,
}
KINDS: Final = ("promise", "question", "risk", "birthday", "need", "übung", "")
TYPES: Final = ("call", "email", "meeting", "task", "follow_up", "visit", "message", "note", "übung")
#: Words that appear in every request of this suite and must not appear in an error.
_CUSTOMER_WORDS: Final = ("Lovelace", "Hopper", "revised quote", "board meeting", "onboarding", "Quarterly")


class WriterHarness(ABC):
    """The writer under test.

    :ivar writer: the writer.
    """

    writer: Writer

    def faults(self) -> list[AbstractContextManager[None]]:
        """Failures of the service behind the writer, each for the duration of a block; ``[]`` without one."""
        return []


class WriterConformance:
    """The suite. A subclass needs no body; the ``harness`` fixture supplies everything."""

    def test_every_channel_language_and_kind_has_a_draft(self, harness: WriterHarness) -> None:
        for request in _requests():
            for kind in KINDS:
                _written(harness, dataclasses.replace(request, signal_kind=kind))

    def test_every_type_of_interaction_has_a_draft(self, harness: WriterHarness) -> None:
        for request in _requests():
            for code in TYPES:
                for at in (None, FULL.interaction_at):
                    _written(harness, dataclasses.replace(request, interaction_type=code, interaction_at=at))

    def test_missing_facts_leave_no_hole(self, harness: WriterHarness) -> None:
        kinds = cycle(KINDS)
        for request in _requests():
            for kind in KINDS:
                _written(harness, dataclasses.replace(request, signal_kind=kind, **EMPTY))
            for name, value in EMPTY.items():
                changes = {"signal_kind": next(kinds), name: value}
                _written(harness, dataclasses.replace(request, **changes))

    def test_hostile_texts_stay_data(self, harness: WriterHarness) -> None:
        requests = cycle(_requests())
        for hostile in HOSTILE.values():
            for request in _requests():
                _written(harness, with_text(request, hostile, *FIELDS))
            for name in FIELDS:
                _written(harness, with_text(next(requests), hostile, name))

    def test_equal_requests_have_equal_provenance(self, harness: WriterHarness) -> None:
        for request in _requests():
            first, second = (_written(harness, dataclasses.replace(request)) for _ in range(2))
            assert (first.writer, first.template_id, first.model, first.prompt_hash) == (
                second.writer,
                second.template_id,
                second.model,
                second.prompt_hash,
            )

    def test_different_prompts_have_different_hashes(self, harness: WriterHarness) -> None:
        if _written(harness, FULL).prompt_hash is None:
            raise unittest.SkipTest("the writer has no prompt")
        requests = [FULL, *(with_text(FULL, "other", name) for name in FIELDS)]
        requests += [request for request in _requests() if request != FULL]
        hashes = [_written(harness, request).prompt_hash for request in requests]
        assert len(set(hashes)) == len(requests)

    def test_threads_can_share_the_writer(self, harness: WriterHarness) -> None:
        requests = list(_requests()) * 4
        with ThreadPoolExecutor(max_workers=4) as pool:
            for draft, request in zip(pool.map(harness.writer.write, requests), requests, strict=True):
                assert_valid(draft, request, harness.writer.name)

    def test_a_failure_leaves_no_draft_and_offers_the_template(self, harness: WriterHarness) -> None:
        for fault in _faults(harness):
            with fault:
                error = _failure(harness, FULL)
            assert error.code
            assert error.detail == str(error)
            assert error.detail.endswith(".")
            assert len(error.detail) <= 500
            assert "No draft was written" in error.detail
            assert "template writer" in error.detail
        _written(harness, FULL)  # the writer recovers

    def test_errors_contain_no_customer_text(self, harness: WriterHarness) -> None:
        for fault in _faults(harness):
            with fault:
                error = _failure(harness, FULL)
            message = "".join(traceback.format_exception(error)) + repr(error)
            assert not [word for word in _CUSTOMER_WORDS if word in message]

    def test_close_can_be_repeated(self, harness: WriterHarness) -> None:
        harness.writer.close()
        harness.writer.close()


def assert_valid(draft: WrittenDraft, request: DraftRequest, writer: str) -> None:
    """Check everything that holds for every draft of every writer."""
    limits = LIMITS[request.channel]
    texts = [draft.body]
    assert 0 < len(draft.body) <= limits.body
    if limits.subject is None:
        assert draft.subject is None
    else:
        assert draft.subject is not None, "an email has a subject"
        assert 0 < len(draft.subject) <= limits.subject
        assert "\n" not in draft.subject
        texts.append(draft.subject)
    for text in texts:
        assert text == text.strip()
        assert any(character.isalnum() for character in text)
        assert not re.search(r"\bNone\b|\bUndefined\b|[ ]{2}|\n{3}|[ ]\n", text), "a fact is missing in it"
        found = [name for name, pattern in FORBIDDEN.items() if re.search(pattern, text)]
        assert not found, f"the draft contains {found}"
    assert draft.writer == writer
    assert len(draft.template_id or "") <= 100
    assert len(draft.model or "") <= 100
    assert (draft.template_id is not None) != (draft.model is not None), "a template or a model wrote it"
    assert (draft.model is None) == (draft.prompt_hash is None)
    assert draft.prompt_hash is None or re.fullmatch("[0-9a-f]{64}", draft.prompt_hash)


def with_text(request: DraftRequest, text: str, *names: str) -> DraftRequest:
    """The request with this text in some of its fields."""
    changes: dict[str, Any] = dict.fromkeys(names, text)
    return dataclasses.replace(request, **changes)


def _requests() -> Iterator[DraftRequest]:
    for channel in get_args(Channel):
        for language in get_args(Language):
            yield dataclasses.replace(FULL, channel=channel, language=language)


def _written(harness: WriterHarness, request: DraftRequest) -> WrittenDraft:
    draft = harness.writer.write(request)
    assert_valid(draft, request, harness.writer.name)
    return draft


def _faults(harness: WriterHarness) -> list[AbstractContextManager[None]]:
    faults = harness.faults()
    if not faults:
        raise unittest.SkipTest("there is no service that can fail")
    return faults


def _failure(harness: WriterHarness, request: DraftRequest) -> WritingFailedError:
    try:
        harness.writer.write(request)
    except WritingFailedError as error:
        return error
    raise AssertionError("expected WritingFailedError: a failed writer must not substitute another text")
