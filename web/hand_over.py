"""Hand a draft over to the program that sends it: ``mailto:`` (RFC 6068), ``sms:`` (RFC 5724), ``tel:``."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

from api.queries.scope import Row

#: Longest link that the programs of all systems accept.
_LONGEST: Final = 2000
_NOT_DIALLED: Final = re.compile(r"[^0-9+*#,;]")
_ADDRESS: Final = {"email": "primary_email", "text": "primary_phone", "call": "primary_phone"}


def hand_over(draft: Row, person: Row | None) -> dict[str, Any]:
    """The person of a draft, and the link that opens it.

    :return: ``person``, ``address`` (``None`` if none is stored), ``link`` (likewise), and ``complete``:
        false if the text is too long for a link, which then carries the address only.
    """
    address = person[_ADDRESS[draft["channel"]]] if person is not None else None
    if not address:
        return {"person": person, "address": None, "link": None, "complete": True}
    link, complete = _link(draft, address), True
    if len(link) > _LONGEST:
        link, complete = link.partition("?")[0], False
    return {"person": person, "address": address, "link": link, "complete": complete}


def _link(draft: Row, address: str) -> str:
    if draft["channel"] == "call":
        return "tel:" + _NOT_DIALLED.sub("", address)
    # RFC 6068, section 5: line breaks are CR LF.
    body = quote(draft["body"].replace("\r\n", "\n").replace("\n", "\r\n"), safe="")
    if draft["channel"] == "text":
        return f"sms:{_NOT_DIALLED.sub('', address)}?body={body}"
    subject = f"subject={quote(draft['subject'], safe='')}&" if draft["subject"] else ""
    return f"mailto:{quote(address, safe='@')}?{subject}body={body}"
