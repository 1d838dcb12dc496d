"""The one mapping from an HTTP answer to the result of a tool that changes something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from api.assistant.gateway_client import Answer
from api.assistant.results import PlannedNext, WriteResult
from api.command_gateway import superseded_fields

Fate = Literal["committed", "refused", "unknown"]
#: Code of a 409 that says nothing about the outcome: an earlier request with the key is still running.
_IN_FLIGHT: Final = "in_flight"
#: Refusals that precede the look at the key: an earlier call may have been executed.
_BEFORE_THE_KEY: Final = frozenset({401, 403, 408, 413, 415, 429})
#: Members of a problem that a result repeats.
_SHOWN: Final = ("status", "code", "detail", "errors", "signalId")
REPEAT: Final = (
    "Do not repeat it with a new requestKey. Repeat it with the same requestKey, or call get_command_outcome."
)
_ADVICE: Final = {
    401: "The token is missing, invalid or expired. Ask the user to renew it.",
    403: "Tell the user which feature is missing.",
    404: "Look for the id with one of the list tools.",
    412: "The row has changed. Read it, then decide; a new call needs a new requestKey.",
    422: "This requestKey was used for other content. A different change needs a new requestKey.",
    429: "Wait for the time that the gateway asks for, then repeat it with the same requestKey.",
}
_CORRECT: Final = "Correct the call, then send it with a new requestKey."
_CAUTION: Final = " An earlier call with this requestKey may have been executed: get_command_outcome knows."
_FIRST_RESULT: Final = "This requestKey was executed before; nothing was changed a second time."


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The row as it was read after the commit.

    :param note: the reason why there is no row.
    """

    row: dict[str, Any] | None = None
    note: str = ""


def fate_of(answer: Answer) -> Fate:
    """Classify an answer. Only a success of the route is ``committed``, and only its problem ``refused``.

    5xx, no answer, and answers that are not the gateway's are ``unknown``.
    """
    if answer.status in (200, 201) and isinstance(answer.body, dict):
        accepted = answer.body.get("ok") is True or isinstance(answer.body.get("id"), str)
        return "committed" if accepted else "unknown"
    problem = answer.problem
    if problem is not None and answer.status is not None and answer.status < 500:
        return "unknown" if problem["code"] == _IN_FLIGHT else "refused"
    return "unknown"


def result_of_write(
    answer: Answer,
    *,
    command_id: str,
    row_id: str | None,
    repeated: bool = False,
    journal: dict[str, Any] | None = None,
    read_back: ReadBack | None = None,
) -> WriteResult:
    """The result of a write.

    :param row_id: id of the row that the command wrote. Without one there is no success.
    :param repeated: the key was executed before this call.
    :param journal: the command's entry, if it could be read.
    :param read_back: ``None`` if the row was not read.
    """
    fate = fate_of(answer)
    if fate == "refused":
        return refused(answer, command_id)
    if fate == "unknown" or row_id is None:
        return unknown(answer, command_id)
    seen = read_back or ReadBack(note="The row was not read back.")
    fields: dict[str, Any] = {
        "command_id": command_id,
        "id": row_id,
        "row": seen.row,
        "version": _version(answer, seen.row),
        "undo_token": answer.undo_token,
    }
    kept = [str(name) for name in answer.body.get("partial", ())]
    if kept:
        advice = f"Everything but {', '.join(kept)} is stored; these have newer values. Read the row."
        return WriteResult(outcome="partly_applied", saved=False, not_saved=kept, what_to_do=advice, **fields)
    first = journal["outcome"] if journal is not None and journal["outcome"] == "no_op" else "applied"
    note = [_FIRST_RESULT if repeated else "", seen.note]
    return WriteResult(
        outcome="duplicate" if repeated else first,
        saved=True,
        what_to_do=" ".join(filter(None, note)) or "Nothing.",
        **fields,
    )


def result_of_journal(entry: dict[str, Any], row_id: str | None, read_back: ReadBack) -> WriteResult:
    """The result of an earlier command, from its entry alone."""
    command_id, result, outcome = entry["commandId"], entry["result"], entry["outcome"]
    if outcome == "rejected":
        problem = result.get("problem") or {"code": "rejected", "status": 409, "detail": "It was rejected."}
        return refused(Answer(problem["status"], problem), command_id)
    kept = superseded_fields(result)
    fields: dict[str, Any] = {
        "command_id": command_id,
        "id": row_id,
        "row": read_back.row,
        "version": result.get("version"),
        "undo_token": result.get("undoToken"),
    }
    if kept:
        advice = f"{', '.join(kept)} had newer stored values, which were kept. Read the row."
        partly = "partly_applied" if outcome == "applied" else "rejected"
        return WriteResult(outcome=partly, saved=False, not_saved=kept, what_to_do=advice, **fields)
    if row_id is None:
        return unknown(Answer(None), command_id)
    return WriteResult(outcome=outcome, saved=True, what_to_do=read_back.note or "Nothing.", **fields)


def refused(answer: Answer, command_id: str | None) -> WriteResult:
    """A result that is certainly not saved, from the problem of the gateway."""
    problem = answer.body if isinstance(answer.body, dict) else {}
    status = answer.status or 0
    advice = _ADVICE.get(status, _CORRECT)
    return WriteResult(
        outcome="rejected",
        saved=False,
        command_id=command_id,
        problem=shown(problem),
        what_to_do=advice + (_CAUTION if status in _BEFORE_THE_KEY else ""),
    )


def unknown(answer: Answer, command_id: str | None) -> WriteResult:
    """A result that is not known: the change may be stored, or may be stored later."""
    problem = answer.problem
    if problem is None:
        status = f"the status {answer.status}" if answer.status is not None else "no answer"
        detail = f"The gateway gave {status} that confirms or refuses the change."
        problem = {"code": "outcome_unknown", "detail": detail}
        if answer.status is not None:
            problem["status"] = answer.status
    return WriteResult(
        outcome="unknown", saved=None, command_id=command_id, problem=shown(problem), what_to_do=REPEAT
    )


def shown(problem: dict[str, Any]) -> dict[str, Any]:
    """The members of a problem that a result repeats."""
    return {name: problem[name] for name in _SHOWN if name in problem}


def with_next(done: WriteResult, planned: WriteResult) -> WriteResult:
    """The result of a completion with a next interaction: a success only if both are saved."""
    nested = PlannedNext(**{name: getattr(planned, name) for name in PlannedNext.model_fields})
    if planned.saved:
        return done.model_copy(update={"next": nested})
    changed: dict[str, Any] = {"next": nested, "problem": planned.problem}
    if planned.saved is None:
        advice = (
            "The completion is saved; the next interaction may be. Repeat the call with the same requestKey."
        )
        return done.model_copy(update={**changed, "outcome": "unknown", "saved": None, "what_to_do": advice})
    advice = (
        "The interaction is completed; only the next one was not planned. Do not complete it a second time:"
        " correct the fields of next and use plan_interaction with a new requestKey."
    )
    return done.model_copy(
        update={**changed, "outcome": "partly_applied", "saved": False, "what_to_do": advice}
    )


def _version(answer: Answer, row: dict[str, Any] | None) -> int | None:
    """The version that the write left, from its ``ETag``; otherwise that of the row."""
    tag = answer.headers.get("etag", "").strip('"')
    if tag.isascii() and tag.isdigit():
        return int(tag)
    version = (row or {}).get("version")
    return version if isinstance(version, int) else None
