"""The conformance suite finds writers that break a rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from streams.drafts.writers.conformance import WriterConformance, WriterHarness
from streams.drafts.writers.interface import DraftRequest, WrittenDraft
from streams.drafts.writers.template import TemplateWriter

Change = Callable[[WrittenDraft, DraftRequest], WrittenDraft]


class DefectiveWriter:
    """The template writer with a defect in every draft."""

    name = "template"

    def __init__(self, change: Change) -> None:
        self._inner, self._change = TemplateWriter(), change

    def write(self, request: DraftRequest) -> WrittenDraft:
        return self._change(self._inner.write(request), request)

    def close(self) -> None:
        """Nothing is open."""


class DefectiveHarness(WriterHarness):
    """A defective writer whose service fails without an effect on it: it substitutes a text."""

    def __init__(self, change: Change) -> None:
        self.writer = DefectiveWriter(change)

    def faults(self) -> list[AbstractContextManager[None]]:
        return [nullcontext()]


def _with_body(text: str) -> Change:
    return lambda draft, _: dataclasses.replace(draft, body=text)


@pytest.mark.parametrize(
    ("defect", "change"),
    [
        ("blank body", _with_body("")),
        ("invisible body", _with_body("\u2026")),
        ("body too long", _with_body("x" * 5_000)),
        ("no subject", lambda draft, _: dataclasses.replace(draft, subject=None)),
        ("a subject for all", lambda draft, _: dataclasses.replace(draft, subject="Subject")),
        (
            "subject too long",
            lambda draft, _: dataclasses.replace(draft, subject=draft.subject and "x" * 151),
        ),
        ("no provenance", lambda draft, _: dataclasses.replace(draft, template_id=None)),
        ("another writer", lambda draft, _: dataclasses.replace(draft, writer="other")),
        ("a model without a hash", lambda draft, _: dataclasses.replace(draft, model="m", template_id=None)),
        ("a hole", _with_body("Hello None, how are you?")),
        ("a gap", _with_body("Hello , this  is a gap")),
        ("a marker", _with_body(f"data-{'0' * 32}")),
    ],
)
def test_a_defect_of_every_draft_is_found(defect: str, change: Change) -> None:
    with pytest.raises(AssertionError):
        WriterConformance().test_every_channel_language_and_kind_has_a_draft(DefectiveHarness(change))


@pytest.mark.parametrize("field", ["signal_title", "person_name"])
def test_raw_customer_text_is_found(field: str) -> None:
    def change(draft: WrittenDraft, request: DraftRequest) -> WrittenDraft:
        return dataclasses.replace(draft, body=f"Hello {getattr(request, field)[:100]}".strip())

    with pytest.raises(AssertionError):
        WriterConformance().test_hostile_texts_stay_data(DefectiveHarness(change))


def test_unstable_provenance_is_found() -> None:
    drafts: list[WrittenDraft] = []

    def change(draft: WrittenDraft, _: DraftRequest) -> WrittenDraft:
        drafts.append(draft)
        return dataclasses.replace(draft, template_id=f"{draft.template_id}{len(drafts)}")

    with pytest.raises(AssertionError):
        WriterConformance().test_equal_requests_have_equal_provenance(DefectiveHarness(change))


def test_a_silent_substitute_is_found() -> None:
    suite, harness = WriterConformance(), DefectiveHarness(lambda draft, _: draft)
    with pytest.raises(AssertionError, match="must not substitute"):
        suite.test_a_failure_leaves_no_draft_and_offers_the_template(harness)
    with pytest.raises(AssertionError, match="must not substitute"):
        suite.test_errors_contain_no_customer_text(harness)
