"""A role that certain records kill without an exception, as a crash in a C library or the OOM killer does."""

from __future__ import annotations

import os
from typing import Any

from cli.main import main
from domain import decide
from schemas.command import Command

CRASHES = "ends the process"


def _crash_on_one() -> None:
    name = "customers.interaction.create"
    real = decide.HANDLERS[name]

    def create(work: Any, command: Command, payload: Any) -> Any:
        if payload.title == CRASHES:
            os._exit(139)
        return real(work, command, payload)

    decide.HANDLERS[name] = create


if __name__ == "__main__":
    _crash_on_one()
    main()
