"""Conditional reads: the ``ETag`` of one record, and 304 if the client has it (RFC 9110, 13.1.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson
from fastapi import Request

from api.problems import NotModified
from api.write_responses import etag
from domain.default_types import DEFAULT_TYPES
from domain.dictionary import default_label

#: For the OpenAPI document.
NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "Not modified (If-None-Match)"}}
_TAGS: Final = re.compile(r'(?:W/)?("[^"]*")')


def validator(request: Request, version: int, extras: Mapping[str, Any]) -> str:
    """The ``ETag`` of a response: the record's version, and a fingerprint of data that it does not cover.

    :param extras: data of other records, such as mirrors and labels. Empty members do not count, so that a
        plain record's tag is its version alone.
    :raises NotModified: ``If-None-Match`` contains the tag.
    """
    given = {name: value for name, value in extras.items() if value}
    tag = etag(version)
    if given:
        digest = blake2b(orjson.dumps(given, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
        tag = f'"{version}-{digest}"'
    named = ", ".join(request.headers.getlist("if-none-match"))
    if named.strip() == "*" or tag in _TAGS.findall(named):
        raise NotModified(tag)
    return tag


def extras_of_interaction(item: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an interaction that come from its deal, its mirrors and the dictionary."""
    code, label = item["interactionType"], item["interactionTypeLabel"]
    usual = DEFAULT_TYPES[code].label if code in DEFAULT_TYPES else default_label(code)
    return {
        "dealTitle": item["dealTitle"],
        "_integrations": item.get("_integrations"),
        "label": None if label == usual else [label],
    }


def extras_of_customer(detail: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The members of a customer's detail besides the customer, whose version its interactions raise."""
    extras = {name: value for name, value in detail.items() if name not in (kind, "viewer")}
    return {**extras, "interactionMode": extras["interactionMode"] == "legacy"}
