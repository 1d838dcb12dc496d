"""Deliberate bugs that stop a partition: the stall is reported within two minutes, with its offset.

Each bug reverts a fix and the isolation behind it, in the role's own process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from runtime.health import Stall
from runtime.kafka import make_admin
from runtime.settings import Settings
from schemas.topics import DEAD_LETTERS
from streams.stalls import core_stalls
from tests.harness.raw_header import publish_raw_headers
from tests.harness.roles import running, wait_until
from tests.harness.wire import Raw, event, new_id, publish

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(240)]
_WITHIN_SECONDS = 120.0
_LONG_COUNT = ("dl_replay_count", b"9" * 5_000)
Send = Callable[[Settings], None]


def _record(**attributes: Any) -> Raw:
    entity = new_id()
    made = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})
    return Raw(entity.encode(), orjson.dumps({**made, **attributes}), (), 0)


def _line_feed(settings: Settings) -> None:
    tenant = "11111111-1111-4111-8111-111111111111\n"
    # Only batches of more than 20 are written by COPY.
    publish(settings, [_record(tenantid=tenant), *(_record() for _ in range(40))])


def _header_name(settings: Settings) -> None:
    publish_raw_headers(settings, [(b"a", b"{}", [b"\xff\xfe-own-name"])])


def _replay_count(settings: Settings) -> None:
    publish(settings, [Raw(b"a", b"not an event", (_LONG_COUNT,), 0)])


def _large_letter(settings: Settings) -> None:
    change = ConfigEntry("max.message.bytes", "10000", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, settings.topic(DEAD_LETTERS), incremental_configs=[change])
    admin = make_admin(settings)  # needs a variable: a collected client never responds
    for future in admin.incremental_alter_configs([topic]).values():
        future.result()
    publish(settings, [Raw(b"a", os.urandom(50_000), (), 0)])  # incompressible


def _command(settings: Settings) -> None:
    publish(settings, [_record()])


@pytest.mark.parametrize(
    ("bug", "send", "stage"),
    [
        ("line-feed-stops-the-partition", _line_feed, "applied"),
        ("header-name-stops-the-partition", _header_name, "applied"),
        ("replay-count-stops-the-partition", _replay_count, "results"),
        ("refusal-retried", _large_letter, "results"),
        ("rebalance-error-stops-the-partitions", _command, "applied"),
    ],
)
def test_a_stopped_partition_is_reported_with_its_offset(
    fresh_settings: Settings, bug: str, send: Send, stage: str
) -> None:
    settings = fresh_settings
    watching = settings.model_copy(update={"stuck_after_seconds": 10.0})
    send(settings)
    with running(
        settings, "applier", f"tests.faults.mutants.run {bug} --", INTERACTIONS_STUCK_AFTER_SECONDS="10"
    ):
        found: list[Stall] = []

        def reported() -> bool:
            found[:] = [stall for stall in core_stalls(watching) if stall.place == "partition 0, offset 0"]
            return bool(found)

        wait_until(reported, _WITHIN_SECONDS, lambda: f"a stall of {bug}: {core_stalls(watching)}")
    (stall,) = found
    assert stall.stage == stage
    assert "offset 0" in stall.reason
    assert "partition 0" in stall.reason
    assert "\n" not in stall.reason
