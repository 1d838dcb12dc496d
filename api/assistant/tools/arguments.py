"""Base models of the arguments of tools: closed objects, each write with the key of its request."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field
from pydantic.json_schema import WithJsonSchema

from api.bodies import RequestBody
from schemas.signal_payloads import Version

_KEY: Final = re.compile("[0-9A-Za-z._:~-]{8,128}")
_DIGEST: Final = re.compile("[0-9a-f]{32}")


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError("must have 8 to 128 letters, digits or . _ : ~ -")
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise ValueError("must be the confirmation of an earlier answer")
    return text


def _schema(pattern: re.Pattern[str], description: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$", "description": description})


#: A header value, and never one that :func:`key_of_next` makes, because that contains spaces.
RequestKey = Annotated[
    str,
    AfterValidator(_key),
    _schema(
        _KEY,
        "A new random value, such as a UUID, per change that the user wants. Use the same value only to"
        " repeat that change: it is never executed twice.",
    ),
]
Confirmation = Annotated[
    str,
    AfterValidator(_digest),
    _schema(_DIGEST, "Leave it out first. Then repeat the call with the value that the answer gave."),
]
ExpectedVersion = Annotated[
    Version, Field(description="The version of the row that was read. Any other stored version is refused.")
]


class WriteArguments(RequestBody):
    """The key of a request."""

    request_key: RequestKey


class ChangeArguments(WriteArguments):
    """A change of a stored row."""

    expected_version: ExpectedVersion | None = None


class ConfirmedArguments(ChangeArguments):
    """A change that needs a second call."""

    confirmation: Confirmation | None = None


#: Arguments that are not part of the request body.
APART: Final = ("request_key", "expected_version", "confirmation")


def key_of_next(request_key: str) -> str:
    """The ``Idempotency-Key`` of the interaction that is planned together with a completion."""
    return f"next of {request_key}"


def input_schema(model: type[BaseModel], *, defaults: bool) -> dict[str, Any]:
    """The JSON Schema of a tool's arguments, without the titles that pydantic derives from names.

    :param defaults: keep defaults. Hazard: a client that sends the default of a change clears the field.
    """
    schema = _plain(model.model_json_schema(), defaults=defaults)
    schema.pop("description", None)
    assert isinstance(schema, dict)
    return schema


def _plain(part: Any, *, defaults: bool) -> Any:
    if isinstance(part, list):
        return [_plain(item, defaults=defaults) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: _plain(value, defaults=defaults)
        for name, value in part.items()
        # A property may be called `title`; its value is a schema, not a text.
        if not (name == "title" and isinstance(value, str)) and (defaults or name != "default")
    }
