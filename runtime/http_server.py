"""What the HTTP servers of the roles share."""

from __future__ import annotations

from typing import Final

#: Idle seconds after which a connection is closed. Law: longer than clients and balancers keep
#: theirs (5 to 60 s is usual), or a request meets the end of its connection, and a write's fate is unknown.
KEEP_ALIVE_SECONDS: Final = 75
