"""Fuzzed records through a real applier: no stall, no crash, one outcome each."""

from __future__ import annotations

import json
import os

import pytest
from confluent_kafka.schema_registry import Schema

from runtime.postgres import connect
from runtime.registry import make_registry
from runtime.settings import Settings
from schemas.topics import COMMANDS
from sinks.consumed_offsets import watermarks
from tests.harness.audit import run_audit
from tests.harness.fuzz import Fuzz
from tests.harness.raw_header import publish_raw_headers
from tests.harness.roles import running, wait_until
from tests.harness.seed import SEED
from tests.harness.wire import publish
from tests.harness.writer_schemas import writer_schemas

# Read at import: the servers' fixture removes these variables.
_RECORDS = int(os.environ.get("INTERACTIONS_FUZZ_RECORDS") or 5_000)
_FEW = 500
_PART = 5_000
#: Per part: records with invalid header names, and records per compression type.
_HEADERS, _INFLATED = 30, 5
_COMPRESSIONS = ("gzip", "zstd", "lz4")
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300 + _RECORDS // 50)]


@pytest.mark.parametrize("count", [_FEW, pytest.param(_RECORDS, marks=pytest.mark.long)])
def test_no_record_stalls_the_applier(fresh_settings: Settings, count: int) -> None:
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    fuzz = Fuzz(SEED, _registered(fresh_settings))
    with running(fresh_settings, "applier") as applier, running(fresh_settings, "relay"):
        for sent in range(0, count, _PART):
            records = (fuzz.record() for _ in range(min(_PART, count - sent)))
            ends = dict(publish(fresh_settings, records))  # partition → its last offset
            ends |= _strange_to_the_client(fresh_settings, fuzz)
            wait_until(
                lambda: applier.process.poll() is not None or _applied(fresh_settings, ends),  # noqa: B023
                200,
                lambda: f"{ends} to be applied",  # noqa: B023
            )
            assert applier.process.poll() is None, applier.log[-2000:]
            isolated = [line for line in applier.log.splitlines() if '"applier.isolated"' in line]
            assert not isolated, f"the last line of defence was needed: {isolated[0]}"
            print(f"{min(sent + _PART, count):,} records have an outcome in the log", flush=True)
        code, report = run_audit(fresh_settings)
    broken = {check["name"]: check["violations"][:2] for check in report["checks"] if check["violations"]}
    assert not broken, json.dumps(broken, indent=1)
    assert code == 0, report
    assert report["lag"] == 0


def _strange_to_the_client(settings: Settings, fuzz: Fuzz) -> dict[int, int]:
    """Publish header names that the client refuses, and values that fit only when compressed.

    :returns: last offset per partition.
    """
    ends = dict(publish_raw_headers(settings, [fuzz.with_header_names() for _ in range(_HEADERS)]))
    for compression in _COMPRESSIONS:
        options = {"message.max.bytes": 50_000_000, "compression.type": compression}
        sender = settings.model_copy(update={"kafka_options": options})
        ends |= dict(publish(sender, [fuzz.compressed() for _ in range(_INFLATED)]))
    return ends


def _registered(settings: Settings) -> list[int]:
    """Register the writer schemas, each under a subject of its own; returns their ids."""
    registry = make_registry(settings)
    return [
        registry.register_schema(f"{settings.topic(COMMANDS)}-{number}", Schema(json.dumps(schema), "AVRO"))
        for number, schema in enumerate(writer_schemas())
    ]


def _applied(settings: Settings, ends: dict[int, int]) -> bool:
    with connect(settings, application_name="test", autocommit=True) as connection:
        found = watermarks(connection, settings.consumer_group, settings.topic(COMMANDS))
    return all(found.get(partition, 0) > last for partition, last in ends.items())
