"""Mutation guards: callables before and after every write (spec "Security & Validation Contract", 3).

An installed distribution adds them by an entry point of the group ``customer_interactions.mutation_guards``,
which names a callable that takes the gateway's :class:`MutationGuards`.
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
#: Longest time that one hook may take; a guard that does not answer refuses.
_LIMIT_SECONDS: Final = 5.0
_STATUS_OF: Final = {"complete": "done", "cancel": "canceled", "reopen": "planned"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A write that is about to be made, or that was made.

    :param action: ``create``, ``update``, ``complete``, ``cancel``, ``reopen``, ``delete`` or ``undo`` of an
        interaction; ``upsert`` of a customer, a deal or a type; ``set`` of a flag; ``decide`` on warnings;
        ``set`` and ``delete`` of an integration, with the names of what is set and no values.
    :param resource_kind: ``customers.interaction``, ``customers.entity``, ``customers.deal``,
        ``customers.interaction_type``, ``customers.feature_flag``,
        ``integrations.warning`` or ``integrations.integration``.
    :param resource_id: its id; the code of a type, the name of a flag, the integration of warnings.
        ``None``: a new interaction whose id is derived.
    :param entity_id: the customer, where it is about one.
    :param command_id: the same for a repeated request.
    :param data: the validated body; it holds no secrets, but maybe customer text: never log it.
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
        """The status that the write gives an interaction, by whatever action; ``None``: it leaves it."""
        if self.resource_kind != "customers.interaction":
            return None
        given: str | None = self.data.get("status")
        return _STATUS_OF.get(self.action, given)


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
        """Run each hook.

        :raises Reject: one refuses; nothing was sent.
        :raises Retry: one did not answer in time (503); nothing was sent.
        """
        for hook in self.before:
            try:
                async with asyncio.timeout(_LIMIT_SECONDS):
                    await hook(mutation)
            except TimeoutError:
                _log.error("gateway.mutation_guard_timeout", action=mutation.action)
                raise Retry("a check of this write did not answer in time; nothing was sent") from None

    async def run_after(self, mutation: Mutation, result: dict[str, Any]) -> None:
        """Run each hook on a committed write."""
        for hook in self.after:
            try:
                async with asyncio.timeout(_LIMIT_SECONDS):
                    await hook(mutation, result)
            except Exception as error:  # noqa: BLE001 - a hook must not turn a committed write into an error
                _log.error("gateway.mutation_hook_failed", error=type(error).__name__, action=mutation.action)


def load_mutation_guards(found: Iterable[EntryPoint] | None = None) -> MutationGuards:
    """The guards of all installed distributions, by the names of their entry points.

    :raises Stop: one cannot be loaded: a gateway without it would let through what it must refuse.
    """
    guards = MutationGuards()
    points = sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name)
    for point in points:
        try:
            point.load()(guards)
        except Exception as error:
            raise Stop(
                f"The mutation guard {point.name} ({point.value}) cannot be loaded: {type(error).__name__}:"
                f" {error}. Mend or uninstall its package; without it no write is taken."
            ) from error
    if points:
        _log.info("gateway.mutation_guards", names=[point.name for point in points])
    return guards
