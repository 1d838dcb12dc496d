"""Query parameters that accept several values, separated by commas."""

from __future__ import annotations

from collections.abc import Callable


def one_or_more(*known: str) -> Callable[[str], str]:
    """A validator of a list of names, separated by commas.

    :param known: the names that exist.
    """
    names = f"{', '.join(known[:-1])} or {known[-1]}"

    def check(text: str) -> str:
        for part in text.split(","):
            if part.strip() not in known:
                raise ValueError(f"must be {names}, or several of them separated by commas")
        return text

    return check


def parts_of(text: str | None) -> tuple[str, ...] | None:
    """The values, each once and sorted; ``None`` for ``None``."""
    return None if text is None else tuple(sorted({part.strip() for part in text.split(",")}))
