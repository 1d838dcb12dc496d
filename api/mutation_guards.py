"""Mutation guards: hooks before and after every write (spec "Security & Validation Contract", 3).

An installed distribution registers them by an entry point of the group
``customer_interactions.mutation_guards``: a callable that takes the gateway's :class:`MutationGuards`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import structlog

from api.principal import Principal
from schemas.errors import Retry, Stop

_log = structlog.get_logger("gateway")
GROUP: Final = "customer_interactions.mutation_guards"
#: Timeout of one hook. A ``before`` hook that exceeds it refuses the write.
_HOOK_TIMEOUT_SECONDS: Final = 5.0
_STATUS_OF: Final = {"complete": "done", "cancel": "canceled", "reopen": "planned"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A write that is about to be made, or that was committed.

    :param action: ``create``, ``update``, ``fix``, ``complete``, ``cancel``, ``reopen``, ``delete`` or
        ``undo`` of an interaction; ``record``, ``update``, ``resolve``, ``skip`` or ``reopen`` of a signal;
        ``update``, ``mark_sent``, ``delete`` or ``restore`` of a draft; ``upsert`` of a customer, a deal or a
        type; ``set`` of a flag; ``decide`` on warnings; ``create``, ``set`` and ``delete`` of an integration,
        with the names of the settings but not their values; ``pause``, ``resume``, ``retry``, ``plan``,
        ``start`` and ``test`` of one; ``replayed``, ``discarded``, ``archived`` and ``reopened`` of dead
        letters.
    :param resource_kind: ``customers.interaction``, ``customers.signal``, ``customers.draft``,
        ``customers.entity``, ``customers.deal``, ``customers.interaction_type``, ``customers.feature_flag``,
        ``customers.dead_letter``, ``integrations.warning`` or ``integrations.integration``.
    :param resource_id: id of the resource; code of a type, name of a flag, or integration of warnings.
        ``None`` for a new interaction or signal whose id is derived.
    :param entity_id: the customer, if the write concerns one.
    :param command_id: the same for a repeated request.
    :param data: the validated body. It contains no secrets but may contain customer text: never log it.
    """

    principal: Principal
    action: str
    resource_kind: str
    resource_id: str | None
    data: dict[str, Any]
    entity_id: str | None = None
    command_id: str | None = None

    @property
    def status(self) -> str | None:
        """The status that the write gives an interaction; ``None`` if it does not change the status."""
        if self.resource_kind != "customers.interaction":
            return None
        given: str | None = self.data.get("status")
        return _STATUS_OF.get(self.action, given)


#: Raises ``Reject`` to refuse the write.
Before = Callable[[Mutation], Awaitable[None]]
#: Called once the rows are committed. An exception is logged; the write stays.
After = Callable[[Mutation, dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class MutationGuards:
    """The hooks of one gateway, run in the order of their registration."""

    before: list[Before] = field(default_factory=list)
    after: list[After] = field(default_factory=list)

    async def run_before(self, mutation: Mutation) -> None:
        """Run each ``before`` hook.

        :raises Reject: a hook refused the write; nothing was sent.
        :raises Retry: a hook timed out (503); nothing was sent.
        """
        for hook in self.before:
            try:
                async with asyncio.timeout(_HOOK_TIMEOUT_SECONDS):
                    await hook(mutation)
            except TimeoutError:
                _log.error("gateway.mutation_guard_timeout", action=mutation.action)
                raise Retry(
                    "A mutation guard did not finish in time, so nothing was sent. Retry later."
                ) from None

    async def run_after(self, mutation: Mutation, result: dict[str, Any]) -> None:
        """Run each ``after`` hook on a committed write."""
        for hook in self.after:
            try:
                async with asyncio.timeout(_HOOK_TIMEOUT_SECONDS):
                    await hook(mutation, result)
            except Exception as error:  # noqa: BLE001 - a hook must not fail a committed write
                _log.error("gateway.mutation_hook_failed", error=type(error).__name__, action=mutation.action)


def load_mutation_guards(found: Iterable[EntryPoint] | None = None) -> MutationGuards:
    """Load the guards of all installed distributions, ordered by entry point name.

    :raises Stop: a guard cannot be loaded. Without it, the gateway would accept writes that it must refuse.
    """
    guards = MutationGuards()
    points = sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name)
    for point in points:
        try:
            point.load()(guards)
        except Exception as error:
            raise Stop(
                f"The mutation guard {point.name} ({point.value}) cannot be loaded: {type(error).__name__}:"
                f" {error}. The gateway does not start without it. Repair or uninstall its package."
            ) from error
    if points:
        _log.info("gateway.mutation_guards", names=[point.name for point in points])
    return guards
