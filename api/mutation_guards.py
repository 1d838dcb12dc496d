"""Mutation guards: callables before and after a custom write (spec "Security & Validation Contract", 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from api.principal import Principal

_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A write that is about to be made, or that was made.

    :param action: ``complete``, ``cancel`` or ``reopen``.
    :param resource_kind: ``customers.interaction``.
    :param data: the validated body; it holds no secrets, but maybe customer text: never log it.
    """

    principal: Principal
    action: str
    resource_kind: str
    resource_id: str
    data: dict[str, Any]


#: Raises ``Reject`` to refuse the write.
Before = Callable[[Mutation], Awaitable[None]]
#: Called only after the rows are committed; what it raises is logged, the write stands.
After = Callable[[Mutation, dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class MutationGuards:
    """The hooks of one gateway, run in the order in which they were added."""

    before: list[Before] = field(default_factory=list)
    after: list[After] = field(default_factory=list)

    async def run_before(self, mutation: Mutation) -> None:
        """Ask each hook.

        :raises Reject: one refuses; nothing was sent.
        """
        for hook in self.before:
            await hook(mutation)

    async def run_after(self, mutation: Mutation, result: dict[str, Any]) -> None:
        """Tell each hook of a committed write."""
        for hook in self.after:
            try:
                await hook(mutation, result)
            except Exception as error:  # noqa: BLE001 - a hook must not turn a committed write into an error
                _log.error("gateway.mutation_hook_failed", error=type(error).__name__, action=mutation.action)
