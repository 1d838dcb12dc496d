"""Classification of database errors: one command's fault, a passing outage, or a reason to stop."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors as pg

from schemas.errors import Reject, Retry, Stop

#: SQLSTATE classes (PostgreSQL, Appendix A) of what a value or a row of one command can cause: cardinality,
#: data, integrity, triggers (38, 39, P0), check option, program limits, the server's own failures.
_OF_A_COMMAND: Final = frozenset({"21", "22", "23", "38", "39", "44", "54", "P0", "XX"})
#: Raised by the client for a value that it cannot send; these have no SQLSTATE.
_OF_THE_CLIENT: Final = (psycopg.DataError, psycopg.NotSupportedError, psycopg.ProgrammingError)


def may_blame_a_command(error: Exception) -> bool:
    """Report whether one command of a batch may be the cause: by a value, or because a rule broke on it."""
    if not isinstance(error, psycopg.Error):
        return not isinstance(error, Reject | Retry | Stop)
    if error.sqlstate is None:
        return isinstance(error, _OF_THE_CLIENT)
    return error.sqlstate[:2] in _OF_A_COMMAND


def may_be_a_race(error: BaseException | None) -> bool:
    """Report whether another applier may have written the same id at the same time."""
    return isinstance(error, pg.UniqueViolation)


def classified(error: psycopg.Error) -> Retry | Stop:
    """Translate a database error into what the applier must do (SQLSTATE classes, PostgreSQL Appendix A)."""
    if may_be_a_race(error):
        return Retry("another applier wrote the same id at the same time", after=0.0)
    state = error.sqlstate or "08000"
    # 08 connection, 25 transaction state after a lost connection, 40 rollback (serialization,
    # deadlock), 53 resources (disk full, too many connections), 55 not available, 57 intervention.
    if state[:2] in {"08", "25", "40", "53", "55", "57", "58"}:
        return Retry(f"the database is not available ({state})")
    # 3F schema, 42 names and rights: not what a record can cause.
    advice = "; is its schema up to date? Try: interactions db upgrade" if state[:2] in {"3F", "42"} else ""
    return Stop(f"the database refuses the batch ({state}, {type(error).__name__}){advice}")
