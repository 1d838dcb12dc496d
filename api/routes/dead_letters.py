"""``/api/customers/dead-letters``: records that could not be applied, grouped by failure, and decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query
from pydantic import Field, model_validator

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.dead_letters.index import LetterState, StatedLetter
from api.dead_letters.reader import NEWEST_PER_PARTITION
from api.letter_groups import MANAGE, MOST_DECIDED, VIEW, LetterGroup, decide_letters, groups_of, visible_to
from api.principal import Principal
from api.response_models import ResponseModel, Timestamp, responses_of
from api.services import Services, ServicesDep
from runtime.dead_letters import Decision, Location
from schemas.errors import Reject
from schemas.instants import format_instant

router = authorized_router("dead letters")
_PATH: Final = "/api/customers/dead-letters"
_LetterId = Annotated[str, Field(pattern=r"^[0-9]{1,9}:[0-9]{1,19}$")]
_Group = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class DeadLetterGroup(ResponseModel):
    """Dead letters with one failure: error class, and code and place of the first field error.

    ``reason`` is that of the newest.
    """

    group: str
    error_class: str
    code: str | None
    pointer: str | None
    reason: str
    count: int
    first_seen_at: Timestamp
    last_seen_at: Timestamp


class DeadLetterGroups(ResponseModel):
    """Groups, the most frequent first.

    The gateway reads the newest `newestPerPartition` records of each partition when it is first asked, and
    every later one. `complete` is false if older records exist that were not read.
    """

    items: list[DeadLetterGroup]
    newest_per_partition: int
    complete: bool


class Place(ResponseModel):
    """Place of a record in Kafka."""

    topic: str
    partition: int
    offset: int


class DeadLetterItem(ResponseModel):
    """A dead letter without its content. Its state is that after the last decision."""

    id: str
    state: Literal["open", "replayed", "discarded", "archived"]
    error_class: str
    code: str | None
    pointer: str | None
    reason: str
    failed_at: Place
    original: Place
    replays: int
    command_id: str | None
    command_type: str | None
    at: Timestamp
    bytes: int
    left_out: list[str]
    decided_by: str | None
    decided_at: Timestamp | None


class DeadLetterList(ResponseModel):
    """Newest dead letters of one group; ``count`` is the number of all of them."""

    items: list[DeadLetterItem]
    count: int


class DecideBody(RequestBody):
    """The dead letters of ``ids``, or with ``all`` every one in ``state``, optionally of one ``group``."""

    ids: list[_LetterId] = Field(default_factory=list, max_length=MOST_DECIDED)
    all: Literal[True] | None = None
    group: _Group | None = None
    state: LetterState = "open"

    @model_validator(mode="after")
    def _one_choice(self) -> DecideBody:
        if bool(self.ids) == bool(self.all):
            raise ValueError("name ids, or send all: true")
        return self


class NotDecided(ResponseModel):
    """A dead letter that was not decided, with the reason."""

    id: str
    code: str
    detail: str


class LettersDecided(ResponseModel):
    """``done`` were decided. ``remaining`` more match: repeat the request for them."""

    ok: Literal[True]
    done: list[str]
    failed: list[NotDecided]
    remaining: int


_State = Annotated[LetterState, Query(description="Default: those without a decision.")]


@router.get(_PATH, responses=responses_of(DeadLetterGroups))
async def list_groups(
    services: ServicesDep, state: _State = "open", principal: Principal = require_features(VIEW)
) -> dict[str, Any]:
    """Dead letters of the caller's organization by failure.

    Records without a readable tenant and organization are shown to operators (`deployment.operate`) only.
    """
    index = await services.dead_letters.current()
    return {
        "items": [_group(group) for group in groups_of(index.matching(visible_to(principal), state))],
        "newestPerPartition": NEWEST_PER_PARTITION,
        "complete": not services.dead_letters.truncated,
    }


@router.get(_PATH + "/{group}", responses=responses_of(DeadLetterList, status_404="No such group."))
async def list_letters(
    group: Annotated[str, Path(max_length=100, pattern=r"^[^\x00]*$")],
    services: ServicesDep,
    state: _State = "open",
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    principal: Principal = require_features(VIEW),
) -> dict[str, Any]:
    """Newest dead letters of a group: places, ids and reasons, without content."""
    index = await services.dead_letters.current()
    found = index.matching(visible_to(principal), state, group)
    if not found:
        raise Reject("not_found", "Your organization has no dead letters of this group.", status=404)
    return {"items": [_item(stated) for stated in found[:limit]], "count": len(found)}


@router.post(_PATH + "/replay", responses=responses_of(LettersDecided))
async def replay(
    body: DecideBody, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Send the original commands to the commands topic again, unchanged and with their ids.

    The response comes once Kafka has stored them, not their outcomes: a command that fails again returns as a
    new dead letter. Replay after the cause is fixed. Each original is replayed three times at most.
    """
    return await _decide(services, principal, body, "replayed")


@router.post(_PATH + "/discard", responses=responses_of(LettersDecided))
async def discard(
    body: DecideBody, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Note that these will not be replayed. The records stay until the topic's retention removes them."""
    return await _decide(services, principal, body, "discarded")


@router.post(_PATH + "/archive", responses=responses_of(LettersDecided))
async def archive(
    body: DecideBody, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Note that these are dealt with. The records stay until the topic's retention removes them."""
    return await _decide(services, principal, body, "archived")


@router.post(_PATH + "/reopen", responses=responses_of(LettersDecided))
async def reopen(
    body: DecideBody, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> dict[str, Any]:
    """Withdraw a decision, such as a mistaken discard. A replay that was sent is not taken back."""
    return await _decide(services, principal, body, "reopened")


async def _decide(
    services: Services, principal: Principal, body: DecideBody, decision: Decision
) -> dict[str, Any]:
    index, visible = await services.dead_letters.current(), visible_to(principal)
    found = index.find(visible, body.ids) if body.ids else index.matching(visible, body.state, body.group)
    chosen = found[:MOST_DECIDED]
    known = {stated.letter.id for stated in chosen}
    outcome = await decide_letters(services, principal, chosen, decision)
    for missing in [one for one in dict.fromkeys(body.ids) if one not in known]:
        outcome.add_failure(missing, Reject("not_found", "There is no such dead letter.", status=404))
    return {
        "ok": True,
        "done": outcome.done,
        "failed": outcome.failed,
        "remaining": len(found) - len(chosen),
    }


def _group(group: LetterGroup) -> dict[str, Any]:
    newest = group.newest
    return {
        "group": newest.group,
        "errorClass": newest.error_class,
        "code": newest.code,
        "pointer": newest.pointer,
        "reason": newest.reason,
        "count": group.count,
        "firstSeenAt": _instant(group.first_ms),
        "lastSeenAt": _instant(newest.at_ms),
    }


def _item(stated: StatedLetter) -> dict[str, Any]:
    letter, decision = stated.letter, stated.decision
    return {
        "id": letter.id,
        "state": stated.state,
        "errorClass": letter.error_class,
        "code": letter.code,
        "pointer": letter.pointer,
        "reason": letter.reason,
        "failedAt": _place(letter.failed_at),
        "original": _place(letter.original),
        "replays": letter.replays,
        "commandId": letter.command_id,
        "commandType": letter.command_type,
        "at": _instant(letter.at_ms),
        "bytes": letter.size,
        "leftOut": list(letter.left_out),
        "decidedBy": decision.by if decision is not None else None,
        "decidedAt": _instant(decision.at_ms) if decision is not None else None,
    }


def _place(location: Location) -> dict[str, Any]:
    return {"topic": location[0], "partition": location[1], "offset": location[2]}


def _instant(milliseconds: int) -> str:
    return format_instant(datetime.fromtimestamp(milliseconds / 1000, UTC))
