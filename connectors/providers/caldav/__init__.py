"""CalDAV provider: interactions as to-dos (VTODO) of a calendar."""

from connectors.providers.caldav.provider import DECLARATION

__all__ = ["DECLARATION"]
