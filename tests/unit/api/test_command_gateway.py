"""The command gateway without servers: request–reply, timeouts, results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.command_gateway import CommandGateway, CommandRequest, Rejection, keyed_command_id
from api.command_producer import DeliveryCallback
from api.principal import Principal
from api.problems import UnknownOutcome
from api.reply_record import ReplyRecord
from api.write_responses import write_response
from schemas.errors import Reject, Retry
from schemas.identity import derive_id
from schemas.outgoing_record import OutgoingRecord

WHO = Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset())
APPLIED: dict[str, Any] = {"outcome": "applied", "commandId": "c", "problem": None}


class Broker:
    """Accepts records; the test resolves them."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, str], DeliveryCallback]] = []
        self.arrived = asyncio.Event()

    def send(self, record: OutgoingRecord, on_delivery: DeliveryCallback) -> None:
        self.sent.append(({name: str(text) for name, text in dict(record.headers).items()}, on_delivery))
        self.arrived.set()


class Decoder:
    """Returns the result that the test sets."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = APPLIED

    def decode(self, value: bytes) -> tuple[str, dict[str, Any]]:
        return "result", self.result


class NoRows:
    """An unavailable database."""

    def __init__(self) -> None:
        self.given: list[float | None] = []

    @asynccontextmanager
    async def connection(self, seconds: float | None = None) -> Any:
        self.given.append(seconds)
        raise Retry("unavailable")
        yield


class Scene:
    def __init__(self, *, timeout: float = 5.0, connected: bool = True) -> None:
        self.broker = Broker()
        self.decoder = Decoder()
        self.rows = NoRows()
        self.gateway = CommandGateway(
            self.broker,
            self.decoder,  # type: ignore[arg-type]
            self.rows,  # type: ignore[arg-type]
            connected=lambda: connected,
            timeout=timeout,
        )

    def answer(self, number: int = 0, correlation: str | None = None) -> None:
        headers = self.broker.sent[number][0]
        self.gateway.on_results([
            ReplyRecord(
                partition=0,
                offset=1,
                correlation_id=correlation or headers["ce_correlationid"],
                tenant_id="t",
                organization_id="o",
                outcome="applied",
                value=b"",
                fresh=True,
            )
        ])  # fmt: skip


def _command(key: str | None = None, **fields: Any) -> CommandRequest:
    return CommandRequest(
        principal=WHO, kind="interaction.create", entity_id="e", data={}, idempotency_key=key, **fields
    )


def _run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_a_request_resolves_by_its_own_correlation_id_only() -> None:
    async def story() -> None:
        scene = Scene()
        task = asyncio.create_task(scene.gateway.execute(_command()))
        await scene.broker.arrived.wait()
        scene.broker.sent[0][1](None)  # the broker has the record: not a success yet
        scene.answer(correlation="another request's")
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        scene.answer()
        assert await task == APPLIED

    _run(story)


def test_a_timeout_means_an_unknown_outcome() -> None:
    async def story() -> None:
        scene = Scene(timeout=0.01)
        command = _command()
        with pytest.raises(UnknownOutcome) as unknown:
            await scene.gateway.execute(command)
        assert unknown.value.command_id == command.id
        assert scene.rows.given == [pytest.approx(0.002)], "part of the time"
        scene.answer()  # too late: the request has timed out

    _run(story)


def test_a_broker_that_does_not_accept_the_record() -> None:
    async def story() -> None:
        scene = Scene()
        task = asyncio.create_task(scene.gateway.execute(_command()))
        await scene.broker.arrived.wait()
        scene.broker.sent[0][1](Retry("down"))
        with pytest.raises(Retry):
            await task
        with pytest.raises(Retry):
            await Scene(connected=False).gateway.execute(_command())

    _run(story)


def test_the_same_key_twice_at_once() -> None:
    async def story() -> None:
        scene = Scene()
        task = asyncio.create_task(scene.gateway.execute(_command("k")))
        await scene.broker.arrived.wait()
        with pytest.raises(Reject) as refused:
            await scene.gateway.execute(_command("k"))
        assert (refused.value.code, refused.value.status) == ("in_flight", 409)
        scene.answer()
        await task
        assert len(scene.broker.sent) == 1

    _run(story)


def test_a_repeated_command_has_its_first_result() -> None:
    async def story(result: dict[str, Any]) -> dict[str, Any]:
        scene = Scene()
        scene.decoder.result = result
        task = asyncio.create_task(scene.gateway.execute(_command("k")))
        await scene.broker.arrived.wait()
        scene.answer()
        return await task

    first = {**APPLIED, "commandId": "first"}
    assert asyncio.run(story({"outcome": "duplicate", "first": first, "problem": None})) == first
    problem = {"status": 409, "code": "already_done", "detail": "is done", "errors": []}
    rejected = {"outcome": "rejected", "problem": problem}
    with pytest.raises(Rejection, match="is done"):
        asyncio.run(story({"outcome": "duplicate", "first": rejected, "problem": None}))
    conflict = {"status": 409, "code": "idempotency_conflict", "detail": "other content", "errors": []}
    with pytest.raises(Rejection) as refused:
        asyncio.run(story({"outcome": "rejected", "problem": conflict}))
    assert refused.value.status == 422


def test_a_key_is_scoped_to_principal_and_route() -> None:
    other = Principal(tenant_id="t", organization_id="o", subject="other", features=frozenset())
    ids = {
        _command("k", route="POST /a").id,
        _command("k", route="POST /b").id,
        CommandRequest(
            principal=other, kind="x", entity_id="e", data={}, idempotency_key="k", route="POST /a"
        ).id,
    }
    assert len(ids) == 3
    assert _command("k", route="POST /a").id in ids
    assert _command().id != _command().id


def test_slashes_do_not_confuse_key_and_route() -> None:
    """Different keys never collide, whatever characters they contain."""
    path = "/api/customers/interactions"
    ids = {
        keyed_command_id(WHO, f"POST {path}", "complete/42"),
        keyed_command_id(WHO, f"POST {path}/complete", "42"),
        keyed_command_id(replace(WHO, subject=f"s/POST {path}"), "x", "42"),
        keyed_command_id(WHO, f"POST {path}", "x/42"),
        keyed_command_id(WHO, f"POST {path}", "x%2F42"),
    }
    assert len(ids) == 5


_TEXTS = st.text("a/%2F", min_size=1)
_KEYED = st.tuples(_TEXTS, st.sampled_from(["POST /a", "POST /a/a"]), _TEXTS)


@given(_KEYED, _KEYED)
def test_different_keys_have_different_commands(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    first, second = (keyed_command_id(replace(WHO, subject=s), r, k) for s, r, k in (one, other))
    assert (first == second) == (one == other)


def test_the_command_of_a_plain_key_stays_the_same_across_versions() -> None:
    assert keyed_command_id(WHO, "POST /a", "k") == derive_id("http", "t", "o", "s", "POST /a", "k")


def _superseded(outcome: str, *fields: str) -> dict[str, Any]:
    warnings = [{"code": "superseded", "field": field, "detail": "is newer"} for field in fields]
    return {**APPLIED, "outcome": outcome, "warnings": warnings}


async def _execute(result: dict[str, Any]) -> dict[str, Any]:
    scene = Scene()
    scene.decoder.result = result
    task = asyncio.create_task(scene.gateway.execute(_command("k")))
    await scene.broker.arrived.wait()
    scene.answer()
    return await task


def test_a_fully_superseded_write_is_rejected() -> None:
    with pytest.raises(Reject) as refused:
        asyncio.run(_execute(_superseded("no_op", "scheduledAt", "status")))
    assert (refused.value.code, refused.value.status) == ("superseded", 409)
    assert [error.pointer for error in refused.value.errors] == ["/scheduledAt", "/status"]
    again = {"outcome": "duplicate", "first": _superseded("no_op", "status"), "problem": None}
    with pytest.raises(Reject, match="Nothing was changed"):
        asyncio.run(_execute(again))
    assert asyncio.run(_execute({**APPLIED, "outcome": "no_op", "warnings": []}))["outcome"] == "no_op"


def test_a_partly_superseded_write_names_the_fields() -> None:
    result = asyncio.run(_execute(_superseded("applied", "scheduledAt")))
    body = orjson.loads(bytes(write_response(result, {"ok": True}).body))
    assert body["ok"] is True
    assert body["partial"] == ["scheduledAt"]
    assert body["warnings"][0]["field"] == "scheduledAt"
    assert orjson.loads(bytes(write_response(APPLIED, {"ok": True}).body)) == {"ok": True}


def test_the_answer_to_a_command_is_watched_by_its_correlation_id() -> None:
    async def story() -> None:
        scene = Scene()
        with scene.gateway.answer("answer") as answered:
            with pytest.raises(Reject, match="still being executed"), scene.gateway.answer("answer"):
                pass
            task = asyncio.create_task(scene.gateway.execute(_command()))
            await scene.broker.arrived.wait()
            scene.answer(correlation="answer")  # before the result of the command itself
            scene.answer()
            assert await task == APPLIED
            async with asyncio.timeout(1):
                await answered()
        with scene.gateway.answer("answer"):
            pass

    _run(story)


def test_the_wait_for_an_answer_ends_with_the_timeout() -> None:
    async def story() -> None:
        scene = Scene(timeout=0.01)
        with scene.gateway.answer("answer") as answered:
            with pytest.raises(UnknownOutcome):
                await scene.gateway.execute(_command())
            async with asyncio.timeout(1):
                await answered()
            scene.answer(correlation="answer")  # late: the wait is over
            await asyncio.sleep(0)

    _run(story)
