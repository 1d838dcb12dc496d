"""The command gateway with mutation guards around it: every write over HTTP passes here."""

from __future__ import annotations

from typing import Any

from api.command_gateway import CommandGateway, CommandRequest
from api.mutation_guards import Mutation, MutationGuards
from api.queries.command_status import command_status
from schemas.errors import InteractionsError, Retry


class GuardedCommandGateway(CommandGateway):
    """Runs the guards before a command is sent, and the hooks after it is committed."""

    def __init__(self, *arguments: Any, guards: MutationGuards, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._guards = guards

    async def execute(self, command: CommandRequest) -> dict[str, Any]:
        """The result of a command that the guards allow and that was committed.

        :raises InteractionsError: a guard refuses, and nothing was sent; else as the base class.
        """
        mutation = mutation_of(command)
        try:
            await self._guards.run_before(mutation)
        except InteractionsError:
            # A repeated request gets its first answer, whatever a guard thinks by now: it changes nothing.
            if not await self._was_carried_out(command):
                raise
        result = await super().execute(command)
        await self._guards.run_after(mutation, result)
        return result

    async def _was_carried_out(self, command: CommandRequest) -> bool:
        if command.idempotency_key is None:
            return False
        try:
            async with self._reads.connection() as connection:
                return await command_status(connection, command.principal.scope, command.id) is not None
        except Retry:
            return False


def mutation_of(command: CommandRequest) -> Mutation:
    """A command request as guards see it."""
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
