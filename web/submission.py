"""The fields of a form: checked for their origin, and read one by one in the viewer's zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from fastapi import Request
from fastapi.responses import RedirectResponse

from api.command_gateway import CommandRequest
from api.principal import Principal
from api.services import Services, services_of
from schemas.errors import FieldError, Reject
from schemas.instants import format_instant, parse_instant
from web.filters import uuid_filter
from web.form_fields import fields_of
from web.page_route import local_path
from web.protection import check_form_token
from web.session import signed_in
from web.viewer import Viewer, viewer_of

_DONE: Final = re.compile(r"([?&])done=[^&#]*&?")


@dataclass(frozen=True, slots=True)
class Submission:
    """
    :param fields: name → text of a form's field; the last one if the form has several of that name.
    :param lists: name → the texts of all fields of that name.
    """

    request: Request
    services: Services
    viewer: Viewer
    fields: dict[str, str]
    lists: dict[str, list[str]]

    def text(self, name: str) -> str | None:
        """A text without blanks around it; ``None`` if nothing was typed."""
        found = self.fields.get(name, "").replace("\r\n", "\n").strip()
        return found or None

    def instant(self, name: str) -> str | None:
        """A local date and time of the viewer's zone, as the contract's instant.

        :raises Reject: it is not a date and time.
        """
        found = self.text(name)
        if found is None:
            return None
        try:
            local = datetime.fromisoformat(found)
            if local.tzinfo is None:
                local = local.replace(tzinfo=self.viewer.zone)
            # Hazard: the first and the last day of the calendar may not exist in UTC.
            return format_instant(parse_instant(local))
        except ValueError:
            raise _invalid(name, "This is not a date and time from 1900 to 2199.") from None

    def integer(self, name: str) -> int | None:
        """A whole number.

        :raises Reject: it is not one.
        """
        found = self.text(name)
        if found is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,9}", found):
            raise _invalid(name, "This is not a whole number.")
        return int(found)

    def identity(self, name: str) -> str:
        """An id.

        :raises Reject: it is missing or no UUID.
        """
        found = uuid_filter(self.text(name))
        if found is None:
            raise _invalid(name, "This is not an id. Reload the page.")
        return found

    @property
    def key(self) -> str:
        """The form's own key: sending it twice has one effect."""
        return self.text("key") or str(uuid4())

    def action(self) -> str:
        """Value of the button that was pressed.

        :raises Reject: none was. Enter in a box or field presses the hidden first button of a form.
        """
        found = self.text("do")
        if found is None:
            raise Reject("no_action", "Press the button of an action.")
        return found

    def back(self, done: str | None = None) -> RedirectResponse:
        """Return to the page of the form.

        :param done: id of the command whose outcome the page shows.
        """
        path = _DONE.sub(r"\1", local_path(self.text("back"), "/backend/customer-tasks")).rstrip("?&")
        if done is not None:
            path += ("&" if "?" in path else "?") + f"done={done}"
        return RedirectResponse(path, 303)

    async def execute(
        self,
        kind: str,
        entity_id: str,
        data: dict[str, Any],
        *,
        expected_version: int | None = None,
        key: str | None = None,
        resource_id: str | None = None,
    ) -> dict[str, Any]:
        """Execute a command; return its result once it is committed.

        :param kind: the command type without ``customers.``.
        :raises InteractionsError: it was rejected, could not be sent, or its outcome is unknown.
        """
        command = CommandRequest(
            principal=self.viewer.principal,
            kind=kind,
            entity_id=entity_id,
            data=data,
            idempotency_key=key or self.key,
            route=page_route(kind),
            expected_version=expected_version,
            resource_id=resource_id,
        )
        return await self.services.commands.execute(command)


def page_route(kind: str) -> str:
    """Scope of the keys of forms that execute a command of this type."""
    return f"page {kind}"


async def submission_of(request: Request, principal: Principal) -> Submission:
    """Read a form.

    :raises Reject: it cannot be read (400, 415), or does not carry the token of the viewer's session (403).
    """
    viewer = viewer_of(request, principal)
    lists: dict[str, list[str]] = {}
    for name, value in await fields_of(request):
        lists.setdefault(name, []).append(value)
    fields = {name: values[-1] for name, values in lists.items()}
    check_form_token(signed_in(request), fields.get("csrf", ""))
    return Submission(request, services_of(request), viewer, fields, lists)


def _invalid(name: str, detail: str) -> Reject:
    return Reject("invalid", detail, errors=(FieldError("invalid", detail, f"/{name}"),))
