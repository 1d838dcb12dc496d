"""Fields of a form that follow from a declaration: provider settings, secrets and policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.errors import FieldError, Reject
from web.submission import Submission

Kind = Literal["secret", "choice", "boolean", "integer", "number", "list", "time", "text"]
Part = Literal["settings", "policy", "secrets"]
_TYPES: Final[dict[str, Kind]] = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "array": "list",
    "list": "list",
}


_ACRONYMS: Final = {"url": "URL", "id": "ID", "api": "API"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInput:
    """One input of a form.

    :param name: name in the form: part and name of the field, joined by a dot.
    :param value: text of the stored value, otherwise of the default. Always empty for a secret.
    """

    name: str
    label: str
    kind: Kind
    value: str
    default: str
    choices: tuple[str, ...]
    required: bool
    help: str


def inputs_of(
    part: Literal["settings", "policy"], declared: Sequence[dict[str, Any]], stored: dict[str, Any] | None
) -> list[SettingInput]:
    """Inputs for declared fields.

    :param stored: values of an existing integration, ``None`` for a new one. A stored secret stays if its
        input is left empty, so it is never required then.
    """
    return [
        SettingInput(
            name=f"{'secrets' if field['secret'] else part}.{field['name']}",
            label=_label(field["name"]),
            kind=_kind_of(field),
            value=_text(field, (stored or {}).get(field["name"])),
            default=_text(field, None),
            choices=tuple(str(one) for one in field["choices"] or ()),
            required=field["required"] and not (field["secret"] and stored is not None),
            help=field["help"],
        )
        for field in declared
    ]


def changes_of(form: Submission, part: Part, declared: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The values that the person changed, by field; ``None`` restores the default.

    ``was-…`` holds the text that the form showed, so that another person's change of another field stays.

    :raises Reject: a text is not of the declared type.
    """
    changed: dict[str, Any] = {}
    for field in declared:
        name = f"{part}.{field['name']}"
        if field["secret"] != (part == "secrets") or name not in form.fields:
            continue
        text = form.text(name)
        if part == "secrets":
            if given := form.fields[name]:
                changed[field["name"]] = given
        elif text != form.text(f"was-{name}"):
            changed[field["name"]] = None if text is None else _value(field, name, text)
    return changed


def _label(name: str) -> str:
    """Words of a field's name, such as “Board ID”."""
    words = [_ACRONYMS.get(word, word) for word in name.split("_")]
    return " ".join(words)[:1].upper() + " ".join(words)[1:]


def _kind_of(field: dict[str, Any]) -> Kind:
    if field["secret"]:
        return "secret"
    if field["choices"]:
        return "choice"
    return "time" if field["format"] == "time" else _TYPES.get(field["type"], "text")


def _text(field: dict[str, Any], stored: Any) -> str:
    value = field["default"] if stored is None else stored
    if field["secret"] or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "\n".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)


def _value(field: dict[str, Any], name: str, text: str) -> Any:
    kind = _kind_of(field)
    if kind == "boolean":
        return text == "true"
    if kind == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind not in {"integer", "number"}:
        return text
    try:
        return int(text) if kind == "integer" else float(text)
    except ValueError:
        error = FieldError("invalid", "This is not a number.", "/" + name.replace(".", "/"))
        raise Reject("invalid_settings", "The settings are invalid.", errors=(error,)) from None
