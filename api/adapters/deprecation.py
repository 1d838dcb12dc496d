"""Deprecation headers (RFC 9745, RFC 8594) and the off switch of the deprecated routes."""

from __future__ import annotations

from datetime import UTC
from email.utils import format_datetime
from typing import Any, Final

from api.feature_flags import adapters_on
from api.principal import Principal
from api.problems import LegacyError
from api.services import Services
from runtime.gateway_settings import GatewaySettings

SUCCESSOR = "/api/customers/interactions"


def deprecation_headers(settings: GatewaySettings, successor: str = SUCCESSOR) -> dict[str, str]:
    """``Deprecation`` (a structured field's date), ``Sunset`` (an HTTP date) and ``Link``.

    :param successor: path of the route that replaces the deprecated one.
    """
    page = settings.migration_url
    return {
        "Deprecation": f"@{int(settings.deprecated_at.timestamp())}",
        "Sunset": format_datetime(settings.sunset_at.astimezone(UTC), usegmt=True),
        "Link": f'<{page}>; rel="deprecation"; type="text/html", '
        f'<{page}>; rel="sunset"; type="text/html", '
        f'<{successor}>; rel="successor-version"',
    }


async def refuse_when_off(services: Services, principal: Principal) -> None:
    """Reject the request if the tenant's flag is off.

    :raises Reject: 410: the deprecated routes are switched off.
    """
    if not await adapters_on(services, principal):
        text = "This route is switched off; use /api/customers/interactions"
        raise LegacyError("legacy_adapter_off", text, error=text, status=410)


def documented() -> dict[int | str, dict[str, Any]]:
    """Error responses of a deprecated route for the OpenAPI document."""
    return {
        410: {"description": "Switched off for this tenant (customers.interactions.legacy-adapters)"},
        404: {"description": "No such activity or todo"},
    }


#: The body of ``DELETE`` for the OpenAPI document. The id may be in the query instead.
DELETE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "linkId": {"type": "string", "format": "uuid"},
                        "todoId": {"type": "string", "format": "uuid"},
                    },
                }
            }
        },
    }
}
