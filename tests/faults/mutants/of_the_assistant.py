# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the tools for assistants: verdicts, keys, confirmations."""

from __future__ import annotations

from typing import Any, Final

from tests.faults.mutants.catalogue import mutant

_MAPPING: Final = "test:tests/unit/api/assistant/test_outcome_mapping.py"
_CALLS: Final = "test:tests/unit/api/assistant/test_write_call.py"


@mutant(
    "an assistant takes an unknown outcome for a refusal", f"{_MAPPING}::test_the_problems_of_the_gateway"
)
def unknown_taken_for_refused() -> None:
    from api.assistant import outcome_mapping

    real = outcome_mapping.fate_of
    outcome_mapping.fate_of = lambda answer: "refused" if answer.problem is not None else real(answer)


@mutant("an assistant reports a creation without an id as saved", f"{_MAPPING}::test_no_id_no_success")
def saved_without_an_id() -> None:
    from api.assistant import outcome_mapping

    def unknown(answer: Any, command_id: Any) -> Any:
        return outcome_mapping.WriteResult(outcome="applied", saved=True, command_id=command_id)

    outcome_mapping.unknown = unknown


@mutant(
    "a repeated call of an assistant has no Idempotency-Key",
    f"{_CALLS}::test_a_lost_answer_of_an_executed_command_is_found_out",
)
def key_not_sent() -> None:
    from api.assistant import write_call

    async def send(self: Any, request: Any) -> Any:
        return await self._gateway.request(
            request.method, request.path, params=request.params, body=request.body
        )

    write_call._Command._send = send


@mutant("an assistant deletes without a confirmation", f"{_CALLS}::test_an_unconfirmed_deletion_is_not_sent")
def deleted_unconfirmed() -> None:
    from api.assistant import write_call

    async def confirmed(*_: Any) -> None:
        return None

    write_call._confirmed = confirmed


@mutant(
    "a confirmation holds for a row that has changed since",
    f"{_CALLS}::test_a_confirmation_ends_with_the_next_change_of_the_row",
)
def confirmation_of_any_version() -> None:
    from api.assistant import write_call

    real = write_call.digest
    write_call.digest = lambda tool, arguments, _versions: real(tool, arguments, [])


@mutant(
    "an assistant reports its own committed change as refused",
    f"{_CALLS}::test_an_answer_that_the_own_command_has_overtaken",
)
def own_change_taken_for_a_conflict() -> None:
    from api.assistant import write_call

    write_call._MAY_BE_OWN = frozenset()
