"""Fields with text that Postgres cannot store are rejected; otherwise such a command would be poison."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from schemas.payloads import PAYLOADS

FIELDS = [
    pytest.param(field, id=f"{kind}.{name}")
    for kind, model in PAYLOADS.items()
    for name, field in model.model_fields.items()
]


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_takes_a_nul(field: FieldInfo) -> None:
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    with pytest.raises(ValidationError):
        TypeAdapter(annotation).validate_python("a\x00b")
