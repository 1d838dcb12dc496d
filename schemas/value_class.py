"""The decorator of values: immutable to the type checker, plain at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["value_class"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value_class
else:
    from dataclasses import dataclass

    def value_class(**options: Any) -> Any:
        """``dataclass``, without the guard of ``frozen``.

        The guard is paid with every field of every new object: a fifth of the time of a whole command.
        mypy refuses an assignment all the same.
        """
        return dataclass(**{**options, "frozen": False})
