"""Confirmation of an operation that the journal does not hold, carried in the address for a minute.

It is signed with a value of the viewer's session, so that no link from elsewhere can make one up.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from web.notice import UNDO_SECONDS
from web.viewer import Viewer

_FORM: Final = re.compile(r"([a-z_]{1,40})\.([0-9]{1,9})\.([0-9]{1,12})\.([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Receipt:
    """:param kind: names the text.
    :param n: the number in it.
    """

    kind: str
    n: int
    mac: str


def make_receipt(viewer: Viewer, kind: str, n: int = 0) -> str:
    """Value of the parameter ``done`` after an operation that was confirmed just now."""
    signed = f"{kind}.{n}.{int(viewer.days.now.timestamp())}"
    return f"{signed}.{_mac(viewer, signed)}"


def receipt_of(request: Request, viewer: Viewer) -> Receipt | None:
    """The receipt that the address carries, if it is the viewer's own and not old."""
    found = _FORM.fullmatch(request.query_params.get("done", ""))
    if found is None:
        return None
    kind, n, made, mac = found.groups()
    age = viewer.days.now.timestamp() - int(made)
    if not hmac.compare_digest(mac, _mac(viewer, f"{kind}.{n}.{made}")) or age > UNDO_SECONDS:
        return None
    return Receipt(kind, int(n), mac)


def _mac(viewer: Viewer, text: str) -> str:
    return hmac.new(viewer.csrf.encode(), text.encode(), "sha256").hexdigest()[:32]
