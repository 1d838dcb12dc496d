"""Types of pydantic fields, translated for msgspec, which checks them in C."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from msgspec import Meta, UnsetType
from pydantic import AfterValidator, PlainValidator, StringConstraints
from pydantic.fields import FieldInfo
from pydantic.json_schema import WithJsonSchema

from schemas.instants import parse_instant
from schemas.type_codes import normalize_interaction_type
from schemas.values import UUID_PATTERN, no_nul

Conversion = Callable[[Any], Any]

#: A type without values: msgspec refuses whatever is given.
Nothing = UnsetType
#: Lower case alone, because pydantic converts upper case. Hazard: ``$`` would also match before a line feed.
_LOWER_UUID: Final = Annotated[str, Meta(pattern=UUID_PATTERN.replace("A-F", "").replace("$", r"\Z"))]
#: Validators that run after the check by msgspec.
_CONVERSIONS: Final[frozenset[Conversion]] = frozenset({parse_instant, normalize_interaction_type})


def msgspec_type(
    annotation: Any, metadata: list[Any], *, optional: bool = False
) -> tuple[Any, Conversion | None]:
    """Translate the type of a field. A rule without translation yields a type that accepts no value.

    The NUL character is left to the caller.

    :param optional: null is accepted too, and not converted.
    :returns: the type, and the conversion of its values.
    """
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return msgspec_type(inner, [*more, *metadata], optional=optional)
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        if len(kinds) != 1 or metadata:
            return Nothing, None
        kind, conversion = msgspec_type(kinds[0], [], optional=True)
        return kind | None, conversion
    limits: dict[str, Any] = {}
    conversion = None
    for rule in _flat(metadata):
        if isinstance(rule, StringConstraints):
            if rule.to_lower and rule.pattern == UUID_PATTERN:
                return _LOWER_UUID, None
            if rule.strip_whitespace or rule.to_upper or rule.to_lower:
                return Nothing, None
            pattern = str(rule.pattern).replace("$", r"\Z") if rule.pattern is not None else None
            limits |= {"min_length": rule.min_length, "max_length": rule.max_length, "pattern": pattern}
        elif isinstance(rule, AfterValidator | PlainValidator):
            if rule.func in _CONVERSIONS:
                conversion = rule.func
            elif rule.func is not no_nul:
                return Nothing, None
        elif hasattr(rule, "ge"):
            limits["ge"] = rule.ge
        elif hasattr(rule, "le"):
            limits["le"] = rule.le
        elif not (isinstance(rule, WithJsonSchema) or hasattr(rule, "strict")):
            return Nothing, None
    if annotation is datetime:
        return (Any, conversion) if optional and conversion is parse_instant else (Nothing, None)
    if annotation not in (str, int, bool) and get_origin(annotation) is not Literal:
        return Nothing, None
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    return (Annotated[annotation, Meta(**limits)] if limits else annotation), conversion


def _flat(metadata: list[Any]) -> list[Any]:
    return [
        rule
        for item in metadata
        for rule in (_flat(item.metadata) if isinstance(item, FieldInfo) else [item])
    ]
