"""Forms of the dictionary of types: change or add an entry, make it strict, take a change back.

An entry has no version. A form carries the values that it showed, only what differs from them is sent, and a
value that someone else has changed since is a conflict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from fastapi import Request, Response

from api.authorization import require_features
from api.command_gateway import Rejection
from api.own_commands import is_own
from api.principal import Principal
from api.queries.command_status import command_status
from api.queries.scope import Connection
from domain.default_types import DEFAULT_TYPES
from schemas.errors import FieldError, Reject
from web.dictionary import Types, symbols, types_of
from web.filters import uuid_filter
from web.notice import Notice
from web.page_route import page_router
from web.submission import Submission, submission_of

router = page_router()
PATH: Final = "/backend/settings/types"
UNDO: Final = PATH + "/undo"
_KIND: Final = "interaction_type.upsert"
_CHANGE: Final = require_features("customers.edit")
_FIELDS: Final = ("label", "icon", "color", "actionable")
#: Symbols that suit a type, in the order in which they are offered.
ICONS: Final = (
    "phone",
    "mail",
    "message-circle",
    "users",
    "calendar",
    "map-pin",
    "check-square",
    "corner-up-right",
    "file-text",
    "star",
    "bell",
    "inbox",
    "company",
    "link",
)
#: Colour that a form offers for an entry without one.
GREY: Final = "#6b7280"


@dataclass(frozen=True, slots=True)
class TypeForm:
    """Form of one entry.

    :param id: of the HTML element; a code may hold characters that an id may not.
    :param shown: text of each field, as the form shows it.
    :param icons: names of the offered symbols, the entry's own first if it is another one.
    """

    code: str
    id: str
    shown: Mapping[str, str]
    icons: tuple[str, ...]


def forms_of(types: Types) -> list[TypeForm]:
    """The forms of all entries."""
    made = []
    for row in types.rows:
        shown = _shown(row)
        own = shown["icon"]
        icons = ICONS if own in ICONS or own not in symbols() else (own, *ICONS)
        made.append(
            TypeForm(row["code"], hashlib.sha256(row["code"].encode()).hexdigest()[:12], shown, icons)
        )
    return made


@router.post(PATH)
async def change(request: Request, principal: Principal = _CHANGE) -> Response:
    """Change the fields that the person changed, unless someone else has changed them since."""
    form = await submission_of(request, principal)
    code, given = form.text("interactionType") or "", _given(form)
    async with form.services.reads.connection() as connection:
        stored = _shown(_entry(await types_of(connection, principal.scope), code))
    changed = {name: value for name, value in given.items() if value != (form.text(f"was-{name}") or "")}
    if not form.text("overwrite"):
        _check_unchanged(form, changed, stored)
    return await _upsert(form, code, _values(changed))


@router.post(PATH + "/add")
async def add(request: Request, principal: Principal = require_features("customers.create")) -> Response:
    """Add an entry. Its code follows from its label, unless one was typed."""
    form = await submission_of(request, principal)
    label = form.text("label")
    if label is None:
        detail = "Type a label."
        raise Reject("invalid", detail, errors=(FieldError("invalid", detail, "/label"),))
    try:
        return await _upsert(form, form.text("code") or label, _values(_given(form)), expected_version=0)
    except Rejection as rejection:
        if rejection.code != "version_conflict":
            raise
        detail = "The dictionary has a type with this code already."
        raise Reject(
            "interaction_type_exists", detail, errors=(FieldError("exists", detail, "/code"),), status=409
        ) from None


@router.post(PATH + "/strict")
async def set_strict(request: Request, principal: Principal = _CHANGE) -> Response:
    """Make the dictionary strict or open."""
    form = await submission_of(request, principal)
    wanted = form.text("do")
    if wanted not in ("strict", "open"):
        raise Reject("invalid", "This action does not exist. Reload the page.")
    # The command names an entry; a default one keeps all of its values.
    return await _upsert(form, next(iter(DEFAULT_TYPES)), {"strict": wanted == "strict"})


@router.post(UNDO)
async def take_back(request: Request, principal: Principal = _CHANGE) -> Response:
    """Restore the values of an entry from before a change, unless they were changed since."""
    form = await submission_of(request, principal)
    async with form.services.reads.connection() as connection:
        reverted = await _reverted(connection, principal, form.text("token"))
        types = await types_of(connection, principal.scope)
    if reverted is None:
        raise _unavailable()
    code, before, after = reverted
    stored = _entry(types, code)
    if any(stored[name] != after[name] for name in before):
        raise _unavailable()
    return await _upsert(form, code, before)


async def with_undo(connection: Connection, principal: Principal, notice: Notice | None) -> Notice | None:
    """A notice with its undo, if it is about a changed entry."""
    if notice is None or notice.kind != _KIND or not principal.has("customers.edit"):
        return notice
    if await _reverted(connection, principal, notice.command_id) is None:
        return notice
    return replace(notice, undo_token=notice.command_id, undo_path=UNDO)


async def _reverted(
    connection: Connection, principal: Principal, command_id: str | None
) -> tuple[str, dict[str, Any], Mapping[str, Any]] | None:
    """Code of the entry that the viewer's own command changed, the values before of the changed fields, and
    all values after.

    ``None`` if it changed no entry: an added one cannot be taken back, because interactions may use it.
    """
    given = uuid_filter(command_id)
    status = await command_status(connection, principal.scope, given) if given else None
    if status is None or status.record is None or status.record.kind != "interaction_type":
        return None
    record = status.record
    default = DEFAULT_TYPES.get(record.id)
    old = record.before or (default._asdict() if default is not None else None)
    if old is None or not await is_own(connection, principal, status):
        return None
    before = {name: old[name] for name in _FIELDS if old[name] != record.after[name]}
    return (record.id, before, record.after) if before else None


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "label": row["label"],
        "icon": row["icon"] or "",
        "color": (row["color"] or GREY).lower(),
        "actionable": "true" if row["actionable"] else "false",
    }


def _given(form: Submission) -> dict[str, str]:
    """The fields of the form; a browser sends no radio button of a group without a chosen one."""
    found: dict[str, str] = {name: form.text(name) or "" for name in _FIELDS if name in form.fields}
    if "color" in found:
        found["color"] = found["color"].lower()
    return found


def _values(texts: Mapping[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = dict(texts)
    if "icon" in data:
        data["icon"] = data["icon"] or None
    if "actionable" in data:
        data["actionable"] = data["actionable"] == "true"
    return data


def _entry(types: Types, code: str) -> Mapping[str, Any]:
    row = next((row for row in types.rows if row["code"] == code), None)
    if row is None:
        raise Reject("interaction_type_not_found", "The dictionary does not have this type.", status=404)
    return row


def _check_unchanged(form: Submission, changed: Mapping[str, str], stored: Mapping[str, str]) -> None:
    """:raises Reject: ``version_conflict``: a value is neither the one that was shown nor the wanted one."""
    errors = tuple(
        FieldError("changed", f"now “{stored[name]}”", f"/{name}")
        for name, value in changed.items()
        if stored[name] not in (form.text(f"was-{name}") or "", value)
    )
    if errors:
        raise Reject("version_conflict", "Someone else changed this type.", errors=errors, status=409)


async def _upsert(
    form: Submission, code: str, data: dict[str, Any], *, expected_version: int | None = None
) -> Response:
    principal: Principal = form.viewer.principal
    # A dictionary belongs to its organization, so the organization id is the record key.
    result = await form.execute(
        _KIND,
        principal.organization_id,
        {"interactionType": code, **data},
        expected_version=expected_version,
    )
    return form.back(result["commandId"])


def _unavailable() -> Reject:
    return Reject("undo_not_available", "This change can no longer be taken back.", status=409)
