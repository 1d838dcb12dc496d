"""Errors named by what the caller must do.

    InteractionsError
    ├── Retry        transient: wait and do the same again
    ├── Reject       the message is wrong: answer it, never try it again as it is
    ├── Skip         nothing to do: already done, or no longer wanted
    ├── Conflict     both sides changed: a conflict rule or a person decides
    ├── NeedsAuth    credentials are refused: pause, ask a person
    └── Stop         this process cannot go on: exit non-zero, say what to do
"""

from __future__ import annotations


class InteractionsError(Exception):
    """Base of every error of this project; the message is written for a person."""


class Retry(InteractionsError):
    """The cause is expected to pass: do the same again after a pause.

    :param after: seconds to wait at least; ``None`` leaves it to the caller's backoff.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Reject(InteractionsError):
    """The message itself is wrong (RFC 9457 material).

    :param code: stable machine name of the reason, for example ``unknown_field``.
    :param detail: one sentence for a person: what is wrong and what to do.
    :param pointer: JSON pointer (RFC 6901) to the field, if one field is to blame.
    :param status: the HTTP status that this rejection maps to.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        pointer: str | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.status = status


class Skip(InteractionsError):
    """Nothing is left to do for this item."""


class Conflict(InteractionsError):
    """Both sides changed and no rule decides."""


class NeedsAuth(InteractionsError):
    """The other side refuses our credentials."""


class Stop(InteractionsError):
    """The process cannot continue; a person or a supervisor must act."""
