"""CalDAV provider: interactions as to-dos (VTODO) of a calendar."""

from connectors.providers.caldav.provider import DECLARATION
from connectors.providers.caldav.settings import CaldavSettings

__all__ = ["DECLARATION", "CaldavSettings"]
