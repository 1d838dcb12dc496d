# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the gateway: authentication, command ids, results, event streams."""

from __future__ import annotations

from typing import Any, Final

from tests.faults.mutants.catalogue import mutant

_COMMANDS: Final = "test:tests/unit/api/test_command_gateway.py"
_TOKENS: Final = "test:tests/unit/api/test_tokens.py"


@mutant(
    "an Idempotency-Key with a slash collides with another route's command",
    f"{_COMMANDS}::test_slashes_do_not_confuse_key_and_route",
)
def key_parts_joined() -> None:
    from api import command_gateway

    command_gateway.escaped = lambda part: part


@mutant(
    "a fully superseded write is answered 200",
    f"{_COMMANDS}::test_a_fully_superseded_write_is_rejected",
)
def lost_write_answered_ok() -> None:
    from api import command_gateway

    command_gateway.superseded_fields = lambda _result: []


@mutant(
    "an unusable response of the identity provider is an internal error",
    f"{_TOKENS}::test_a_provider_without_usable_keys_is_unavailable",
)
def provider_keys_unchecked() -> None:
    from api import tokens

    tokens._signing_key = lambda keys, kid: keys.get_signing_key(kid)


@mutant(
    "a subject that cannot be stored is accepted",
    f"{_TOKENS}::test_invalid_claims_are_rejected",
)
def unstorable_subject_believed() -> None:
    from api import tokens

    tokens._is_attribute = lambda _text: True


@mutant(
    "a request waits for an unresponsive database without a deadline",
    "test:tests/integration/api/test_read_pool.py",
)
def silent_database_awaited() -> None:
    from api import read_pool

    read_pool.hang_up = lambda _connection: None


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
