"""Failures of a writer that uses a service, as sentences for users."""

from __future__ import annotations

from typing import Final

from streams.drafts.writers.interface import FailureCode, WritingFailedError

#: Codes of failures that pass without a change of the request or the settings.
_TRANSIENT: Final = frozenset({"writer_timeout", "writer_unavailable", "budget_exhausted", "writer_closed"})


def failure(code: FailureCode, happened: str, after: float | None = None) -> WritingFailedError:
    """Create the error for a failure of the writing service; it offers the template writer.

    :param happened: one sentence, without customer text and secrets.
    :param after: minimum seconds until a retry can succeed, if known.
    """
    retriable = code in _TRANSIENT
    advice = "Retry later, or use" if retriable else "Use"
    return WritingFailedError(
        code,
        f"{happened} No draft was written. {advice} the template writer instead.",
        retriable=retriable,
        after=after,
    )
