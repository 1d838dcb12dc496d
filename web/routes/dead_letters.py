"""``/backend/operations/dead-letters``: records that could not be applied, and decisions on them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.dead_letters.decisions import MOST_REPLAYS, DecidedLetters
from api.dead_letters.index import STATES, DeadLetterIndex, LetterState, StatedLetter, Visibility
from api.dead_letters.reader import NEWEST_PER_PARTITION
from api.letter_groups import MANAGE, MOST_DECIDED, VIEW, decide_letters, groups_of, visible_to
from api.principal import Principal
from api.services import ServicesDep
from runtime.dead_letters import Decision
from schemas.errors import FieldError, Reject
from web.language import Language
from web.notice import UNDO_SECONDS
from web.page_route import local_path, page_router, target_of
from web.rendering import render
from web.submission import Submission, submission_of
from web.viewer import viewer_of

router = page_router()
PATH: Final = "/backend/operations/dead-letters"
#: State → the decisions that its dead letters offer.
OFFERED: Final[dict[LetterState, tuple[Decision, ...]]] = {
    "open": ("replayed", "archived", "discarded"),
    "replayed": ("reopened",),
    "archived": ("reopened",),
    "discarded": ("reopened",),
}
#: Dead letters of a group on the page.
_SHOWN: Final = 50
#: Reasons that a failed request lists.
_REASONS: Final = 10
_GROUP: Final = re.compile("[0-9a-f]{16}")
_ID: Final = re.compile("[0-9]{1,9}:[0-9]{1,19}")
_MOMENT: Final = re.compile("[0-9]{13}")
_DECIDED: Final = re.compile(r"([?&])decided=[^&#]*&?")


@router.get(PATH)
async def dead_letters(
    request: Request, services: ServicesDep, principal: Principal = require_features(VIEW)
) -> Response:
    """Groups of a state, or the newest dead letters of one group."""
    viewer, visible = viewer_of(request, principal), visible_to(principal)
    state = _state_of(request.query_params.get("state"))
    group = _group_of(request.query_params.get("group"))
    decided_at = request.query_params.get("decided", "")
    index = await services.dead_letters.current()
    found = index.matching(visible, state, group)
    return render(
        "dead_letters.html",
        viewer,
        back=target_of(request),
        state=state,
        group=group,
        counts=index.counts(visible),
        groups=groups_of(found),
        items=found[:_SHOWN] if group is not None else [],
        total=len(found),
        offered=OFFERED[state] if principal.has(MANAGE) else (),
        most=MOST_DECIDED,
        most_replays=MOST_REPLAYS,
        moment=lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC),
        newest=None if not services.dead_letters.truncated else NEWEST_PER_PARTITION,
        decided=decided_since(index, visible, principal.subject, decided_at),
        decided_at=decided_at,
    )


@router.post(PATH)
async def decide(
    request: Request, services: ServicesDep, principal: Principal = require_features(MANAGE)
) -> Response:
    """Decide one dead letter, or all that match. A dead letter that was decided since is left as it is."""
    form = await submission_of(request, principal)
    state = _state_of(form.text("state"))
    decision = next((it for it in OFFERED[state] if it == form.text("do")), None)
    if decision is None:
        raise Reject("invalid", "This action does not exist. Reload the page.")
    chosen = await _chosen(form, principal, state)
    started = int(time.time() * 1000)
    outcome = await decide_letters(services, principal, chosen, decision)
    if outcome.failed:
        raise _refusal(outcome, form.viewer.language)
    path = _DECIDED.sub(r"\1", local_path(form.text("back"), PATH)).rstrip("?&")
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}decided={started}", 303)


async def _chosen(form: Submission, principal: Principal, state: LetterState) -> Sequence[StatedLetter]:
    """The dead letters of the form that are still in the state that it showed.

    :raises Reject: none is.
    """
    index, visible = await form.services.dead_letters.current(), visible_to(principal)
    if form.text("all"):
        found = index.matching(visible, state, _group_of(form.text("group")))
    else:
        ids = [one for one in form.lists.get("letter", []) if _ID.fullmatch(one)]
        found = [stated for stated in index.find(visible, ids) if stated.state == state]
    if not found:
        raise Reject("letters_decided", "These dead letters were decided since. Reload the page.", status=409)
    return found[:MOST_DECIDED]


def decided_since(
    index: DeadLetterIndex, visible: Visibility, subject: str, moment: str
) -> list[tuple[Decision, int]]:
    """The viewer's decisions since a moment, as the index has them; empty if the moment is not recent.

    :param moment: milliseconds since 1970, from the address.
    """
    if not _MOMENT.fullmatch(moment) or time.time() - int(moment) / 1000 > UNDO_SECONDS:
        return []
    letters = [stated for state in STATES for stated in index.matching(visible, state)]
    decisions = [stated.decision for stated in letters if stated.decision is not None]
    found = Counter(it.decision for it in decisions if it.by == subject and it.at_ms >= int(moment))
    return found.most_common()


def _refusal(outcome: DecidedLetters, words: Language) -> Reject:
    """The error of a request that was not carried out in full, with its first reasons."""
    done, failed = len(outcome.done), len(outcome.failed)
    code = "letters_in_part" if done else "letters_not_decided"
    errors = []
    for it in outcome.failed[:_REASONS]:
        key = f"letters.refused.{it['code']}"
        detail = words.text(key) if words.has("letters.refused." + it["code"]) else it["detail"]
        errors.append(FieldError(it["code"], detail, f"/{it['id']}"))
    return Reject(code, words.text("letters.in_part", n=failed, done=done), errors=tuple(errors), status=409)


def _state_of(given: str | None) -> LetterState:
    return next((state for state in STATES if state == given), STATES[0])


def _group_of(given: str | None) -> str | None:
    return given if given and _GROUP.fullmatch(given) else None
