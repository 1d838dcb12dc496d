"""CloudEvents 1.0 attributes as Kafka headers (binary mode, Kafka protocol binding 1.0.2)."""

from __future__ import annotations

from typing import Final

#: Attribute → header. ``traceparent`` keeps its own name (W3C Trace Context).
HEADER_OF: Final = {
    **{
        name: f"ce_{name}"
        for name in (
            "id",
            "source",
            "specversion",
            "type",
            "time",
            "subject",
            "tenantid",
            "organizationid",
            "entityid",
            "syncorigin",
            "correlationid",
            "causationid",
            "actorid",
            "sequence",
            "expectedversion",
            "outcome",
            "commandpartition",
            "commandoffset",
        )
    },
    "traceparent": "traceparent",
}
JSON: Final = "application/json"
AVRO: Final = "application/avro"


def event_headers(content_type: str | None, **attributes: str | None) -> dict[str, str | bytes | None]:
    """Build the headers of an event.

    :param content_type: media type of the value; ``None`` where it is decided later.
    :param attributes: by their CloudEvents names; ``None`` leaves an attribute out.
    :raises KeyError: the contract has no such attribute.
    """
    headers: dict[str, str | bytes | None] = {"ce_specversion": "1.0"}
    if content_type is not None:
        headers["content-type"] = content_type
    for name, value in attributes.items():
        if value is not None:
            headers[HEADER_OF[name]] = value
    return headers
