"""Error tree, named by what the caller must do.

InteractionsError
├── Retry        transient: wait and repeat the operation
├── Reject       the message is invalid: answer it, do not retry it unchanged
├── Skip         nothing to do: already done, or no longer wanted
├── Conflict     both sides changed: a conflict rule or a user decides
├── NeedsAuth    credentials were refused: pause until a user renews them
└── Stop         this process cannot continue: exit non-zero with instructions
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


class InteractionsError(Exception):
    """Base class of all errors of this project; the message is written for users."""


class Retry(InteractionsError):
    """The cause is transient: repeat the operation after a pause.

    :param after: minimum pause in seconds; ``None`` leaves it to the caller's backoff.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field in a rejection (RFC 9457 ``errors`` member).

    :param code: stable machine-readable name, for example ``too_long``.
    :param detail: one sentence for users, without the value.
    :param pointer: JSON pointer (RFC 6901) into the command's ``data``.
    :param attribute: the CloudEvents attribute, when the field is not in ``data``.
    """

    code: str
    detail: str
    pointer: str | None = None
    attribute: str | None = None

    def to_json(self) -> dict[str, str]:
        """The JSON form, without unset members."""
        fields = {
            "pointer": self.pointer,
            "attribute": self.attribute,
            "detail": self.detail,
            "code": self.code,
        }
        return {name: value for name, value in fields.items() if value is not None}


class Reject(InteractionsError):
    """The message is invalid: it is answered and not retried unchanged.

    :param code: stable machine-readable reason, for example ``unknown_field``.
    :param detail: one sentence for users: what is wrong and what to do.
    :param pointer: JSON pointer of the invalid field, as a shorthand for a single item of ``errors``.
    :param status: HTTP status of this rejection.
    :param errors: all invalid fields.
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

    def without_traceback(self) -> Self:
        """Drop the traceback, for code that stores the exception after catching it.

        Hazard: the frames of a traceback, and their callers, reference all their locals. One refused record
        would keep its whole batch in a reference cycle until a late garbage collection.
        """
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self

    def problem(self) -> dict[str, object]:
        """Convert the rejection to an RFC 9457 problem object."""
        return {
            "type": f"urn:customer-interactions:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [error.to_json() for error in self.errors],
        }


class Skip(InteractionsError):
    """There is nothing left to do for this item."""


class Conflict(InteractionsError):
    """Both sides changed, and no rule resolves the conflict."""


class NeedsAuth(InteractionsError):
    """The other side refuses the credentials."""


class Stop(InteractionsError):
    """The process cannot continue; a user or a supervisor must act."""
