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

from dataclasses import dataclass
from typing import Self


class InteractionsError(Exception):
    """Base of every error of this project; the message is written for a person."""


class Retry(InteractionsError):
    """The cause is expected to pass: do the same again after a pause.

    :param after: seconds to wait at least; ``None`` leaves it to the caller's backoff.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field to blame inside a rejection (RFC 9457 ``errors`` member).

    :param code: stable machine name, for example ``too_long``.
    :param detail: one sentence for a person; never the value itself.
    :param pointer: JSON pointer (RFC 6901) into the command's ``data``.
    :param attribute: the CloudEvents attribute to blame when it is not in ``data``.
    """

    code: str
    detail: str
    pointer: str | None = None
    attribute: str | None = None

    def to_json(self) -> dict[str, str]:
        """The member as it travels: only what is known."""
        fields = {
            "pointer": self.pointer,
            "attribute": self.attribute,
            "detail": self.detail,
            "code": self.code,
        }
        return {name: value for name, value in fields.items() if value is not None}


class Reject(InteractionsError):
    """The message itself is wrong: it is answered, and never tried again as it is.

    :param code: stable machine name of the reason, for example ``unknown_field``.
    :param detail: one sentence for a person: what is wrong and what to do.
    :param pointer: JSON pointer of the one field to blame, as a short form of ``errors``.
    :param status: the HTTP status that this rejection maps to.
    :param errors: every field to blame.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        pointer: str | None = None,
        status: int = 400,
        errors: tuple[FieldError, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.errors = errors or ((FieldError(code, detail, pointer),) if pointer else ())

    def kept(self) -> Self:
        """Itself without where it came from, for whoever keeps it after it was caught.

        Hazard: a traceback's frames hold everything that was in sight, and their callers too: one refused
        record would keep its whole batch in a ring that only a late garbage collection finds.
        """
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self

    def problem(self) -> dict[str, object]:
        """The rejection as an RFC 9457 problem object."""
        return {
            "type": f"urn:customer-interactions:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [error.to_json() for error in self.errors],
        }


class Skip(InteractionsError):
    """Nothing is left to do for this item."""


class Conflict(InteractionsError):
    """Both sides changed and no rule decides."""


class NeedsAuth(InteractionsError):
    """The other side refuses our credentials."""


class Stop(InteractionsError):
    """The process cannot continue; a person or a supervisor must act."""
