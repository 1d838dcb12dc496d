# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the gateway: who is let in, and what a caller is told."""

from __future__ import annotations

from typing import Any, Final

from tests.faults.mutants.catalogue import mutant

_COMMANDS: Final = "test:tests/unit/api/test_command_gateway.py"
_TOKENS: Final = "test:tests/unit/api/test_tokens.py"


@mutant(
    "an Idempotency-Key with a slash stands for another route's command",
    f"{_COMMANDS}::test_a_key_and_a_route_with_slashes_are_told_apart",
)
def key_parts_joined() -> None:
    from api import command_gateway

    command_gateway.escaped = lambda part: part


@mutant(
    "a write of which nothing was taken is answered 200",
    f"{_COMMANDS}::test_a_write_of_which_nothing_was_taken_is_refused",
)
def lost_write_answered_ok() -> None:
    from api import command_gateway

    command_gateway.superseded_fields = lambda _result: []


@mutant(
    "rubbish from the identity provider is the gateway's own failure",
    f"{_TOKENS}::test_a_provider_without_usable_keys_is_unavailable",
)
def provider_keys_unchecked() -> None:
    from api import tokens

    tokens._signing_key = lambda keys, kid: keys.get_signing_key(kid)


@mutant(
    "a subject that no record can hold is let in",
    f"{_TOKENS}::test_claims_that_are_not_believed",
)
def unstorable_subject_believed() -> None:
    from api import tokens

    tokens._storable = lambda _text: True


@mutant(
    "a request waits for a silent database until the server gives it up",
    "test:tests/integration/api/test_read_pool.py",
)
def silent_database_awaited() -> None:
    from api import read_pool as postgres_pool

    postgres_pool._hang_up = lambda _connection: None


@mutant(
    "an event stream outlives its token",
    "test:tests/unit/api/test_stream.py::test_it_ends_with_the_token",
)
def stream_outlives_token() -> None:
    from api.routes import stream

    real = stream._events

    def events(*args: Any, ends: float, **options: Any) -> Any:
        return real(*args, ends=ends + 86_400, **options)

    stream._events = events
