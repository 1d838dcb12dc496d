"""The command gateway with mutation guards: every command sent over HTTP passes here."""

from __future__ import annotations

from typing import Any

from api.command_gateway import CommandGateway, CommandRequest
from api.mutation_guards import Mutation, MutationGuards
from api.queries.command_status import command_status
from schemas.errors import InteractionsError, Retry


class GuardedCommandGateway(CommandGateway):
    """Runs the ``before`` hooks before a command is sent and the ``after`` hooks once it is committed."""

    def __init__(self, *arguments: Any, guards: MutationGuards, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._guards = guards

    async def execute(self, command: CommandRequest) -> dict[str, Any]:
        """Execute a command that the guards allow.

        :raises InteractionsError: a guard refused and nothing was sent; otherwise as the base class.
        """
        mutation = mutation_of(command)
        try:
            await self._guards.run_before(mutation)
        except InteractionsError:
            # A repeated request changes nothing and gets its first response, even if a guard refuses it now.
            if not await self._was_executed(command):
                raise
        result = await super().execute(command)
        await self._guards.run_after(mutation, result)
        return result

    async def _was_executed(self, command: CommandRequest) -> bool:
        if command.idempotency_key is None:
            return False
        try:
            async with self._reads.connection() as connection:
                return await command_status(connection, command.principal.scope, command.id) is not None
        except Retry:
            return False


def mutation_of(command: CommandRequest) -> Mutation:
    """The mutation that guards receive for a command."""
    resource, _, action = command.kind.partition(".")
    data = command.data
    named = data.get("id") or data.get("interactionType" if resource == "interaction_type" else "flag")
    return Mutation(
        principal=command.principal,
        action=action,
        resource_kind=f"customers.{resource}",
        resource_id=command.resource_id or named,
        entity_id=command.entity_id,
        command_id=command.id,
        data=data,
    )
