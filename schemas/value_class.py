"""Decorator for value classes: frozen for the type checker, a plain dataclass at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["value_class"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value_class
else:
    from dataclasses import dataclass

    def value_class(**options: Any) -> Any:
        """Apply ``dataclass`` without ``frozen``.

        A frozen dataclass sets each field through ``object.__setattr__``, which costs a fifth of the time of
        a whole command. mypy still rejects assignments.
        """
        return dataclass(**{**options, "frozen": False})
