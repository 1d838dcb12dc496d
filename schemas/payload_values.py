"""Payloads as the rules see them: msgspec structs with the fields and methods of the published models.

The models (``schemas.payloads``) are the contract, and word every rejection. Valid data does not need them:
it is checked and converted in C, by types derived from the models. A fuzzer proves that both agree.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, cast

import msgspec
from msgspec import Struct
from pydantic.alias_generators import to_camel

from schemas.msgspec_types import Conversion, msgspec_type
from schemas.payload_base import Payload
from schemas.payloads import PAYLOADS

#: Rules over several fields are unknown to msgspec. That of ``Clearing`` is about ``clear``, whose type has
#: no translation, so no given value is accepted.
_CHECKED_ANYWAY: Final = frozenset({"_known_names"})


class _Value(Struct, kw_only=True, gc=False):
    """Base of the structs. The type checker sees the model instead (see :func:`accept_payload`)."""

    payload_model: ClassVar[type[Payload]]
    #: Name in ``data`` → name in Python.
    names: ClassVar[dict[str, str]]
    conversions: ClassVar[tuple[tuple[str, Conversion], ...]]
    #: The model has validators besides those of the types of its fields.
    has_rules: ClassVar[bool]

    #: Fields that the publisher gave, by Python name; as pydantic calls it.
    model_fields_set: frozenset[str] = msgspec.field(default=frozenset(), name="")


def accept_payload(command_type: str, data: dict[str, Any]) -> Payload | None:
    """Build the payload of valid data; ``None`` leaves the decision to the model.

    :param command_type: a known type.
    """
    kind = _VALUES[command_type]
    if kind.has_rules:
        return None
    try:
        payload = msgspec.convert(data, kind)
        for name, convert in kind.conversions:
            value = getattr(payload, name)
            if value is not None:
                setattr(payload, name, convert(value))
        for value in data.values():
            if value.__class__ is str and "\x00" in value:
                return None
        if kind.payload_model.partial:
            payload.model_fields_set = frozenset([kind.names[name] for name in data])
    except (msgspec.ValidationError, ValueError):
        return None
    return cast("Payload", payload)


def payload_value(command_type: str, model: Payload) -> Payload:
    """Convert a validated model to its struct."""
    kind = _VALUES[command_type]
    given = model.model_fields_set if model.partial else ()
    fields = {name: getattr(model, name) for name in kind.names.values()}
    return cast("Payload", kind(**fields, model_fields_set=frozenset(given)))


def _value_class(model: type[Payload]) -> type[_Value]:
    fields: list[Any] = []
    conversions = []
    rules = model.__pydantic_decorators__
    for name, field in model.model_fields.items():
        kind, conversion = msgspec_type(field.annotation, field.metadata)
        if conversion is not None:
            conversions.append((name, conversion))
        fields.append((name, kind) if field.is_required() else (name, kind, field.default))
    methods = {name: getattr(model, name) for name in ("changes", "missing_when_new", "mutable", "clearable")}
    made = msgspec.defstruct(
        model.__name__,
        fields,
        bases=(_Value,),
        kw_only=True,
        rename="camel",
        forbid_unknown_fields=True,
        gc=False,
        namespace={
            **methods,
            "required_when_new": model.required_when_new,
            "payload_model": model,
            "names": {to_camel(name): name for name in model.model_fields},
            "conversions": tuple(conversions),
            "has_rules": bool(rules.field_validators or rules.model_validators.keys() - _CHECKED_ANYWAY),
        },
    )
    return cast("type[_Value]", made)


_VALUES: Final = {command_type: _value_class(model) for command_type, model in PAYLOADS.items()}
