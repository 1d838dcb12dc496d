"""Publish one command that the command line itself makes, and wait for its outcome."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from cli.publish.input_lines import check_line
from cli.publish.publishing import ListSource, publishing
from cli.publish.report import Report
from runtime.settings import Settings


def publish_one(
    settings: Settings,
    kind: str,
    scope: tuple[str, str],
    entity_id: str,
    data: dict[str, Any],
    *,
    timeout: float,
) -> tuple[str, Report]:
    """Publish a command and return its id and the report on it.

    :param kind: type of the command.
    :param scope: tenant and organization.
    :param timeout: seconds to wait for the outcome.
    """
    tenant_id, organization_id = scope
    command_id = str(uuid4())
    event = {
        "specversion": "1.0",
        "id": command_id,
        "type": kind,
        "source": "urn:customer-interactions:cli",
        "tenantid": tenant_id,
        "organizationid": organization_id,
        "entityid": entity_id,
        "data": data,
    }
    with publishing(settings, timeout=timeout) as publisher:
        line = check_line(1, json.dumps(event).encode())
        return command_id, publisher.run(ListSource(filter(None, [line])))
