"""Deliberate bugs that stop an integration, and deleted records: the stall is reported with its position."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from confluent_kafka import TopicPartition

from connectors.store import stalls as sync_stalls
from connectors.store.integrations import Integration, insert_integration
from runtime.health import Stall
from runtime.kafka import make_admin, make_producer
from runtime.postgres import connect
from runtime.secret_box import make_secret_box
from runtime.settings import Settings
from schemas.flags import EXTERNAL_SYNC
from schemas.topics import COMMANDS
from sinks.consumed_offsets import read_stored_offsets
from streams.partition_ends import partition_ends
from streams.stalls import core_stalls
from tests.harness.hostile_server import Conversation, Script, answering, hostile
from tests.harness.roles import running, wait_until
from tests.harness.wire import ORGANIZATION, TENANT, Raw, event, new_id, publish

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(240)]
_WITHIN_SECONDS = 120.0
_KEY = "k1:" + base64.b64encode(os.urandom(32)).decode()
_BUSY = b"HTTP/1.1 503 x\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n"
#: A truncated listing (RFC 6578 section 3.6) that continues at the same sync token.
_CUT_OFF = (
    b'<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>'
    b"<d:href>/cal/</d:href>"
    b"<d:propstat><d:prop><d:resourcetype><d:collection/><c:calendar/></d:resourcetype></d:prop>"
    b"<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response><d:response><d:href>/cal/</d:href>"
    b"<d:status>HTTP/1.1 507 x</d:status></d:response><d:sync-token>t</d:sync-token></d:multistatus>"
)
_ENDLESS = b"HTTP/1.1 207 x\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_CUT_OFF),
    _CUT_OFF,
)


def _drip(conversation: Conversation) -> None:
    conversation.request()
    conversation.say(b"HTTP/1.1 207 Multi-Status\r\n")
    conversation.drip(b"X-More: 1\r\n", 0.2)


def _add(settings: Settings, identity: str, url: str) -> None:
    sealed = make_secret_box(_KEY).seal(identity, {})
    integration = Integration(
        id=identity,
        tenant_id=TENANT,
        organization_id=ORGANIZATION,
        provider="caldav",
        settings={"url": url},
        policy={},
        secrets=sealed.content,
        secrets_key_id=sealed.key_id,
        state="active",
    )
    with connect(settings, application_name="tests", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO feature_flags (tenant_id, organization_id, flag, enabled, updated_at)"
            " VALUES (%s, %s, %s, TRUE, now()) ON CONFLICT DO NOTHING",
            (TENANT, ORGANIZATION, EXTERNAL_SYNC),
        )
        assert insert_integration(connection, integration)
        # Not its first poll: a process that hangs in the health check before it has recorded none.
        sync_stalls.note_poll(connection, integration, datetime.now(UTC))


@pytest.mark.parametrize(
    ("bug", "scripts"),
    [
        ("provider-pause-ends-the-connectors", {"huge-pause": answering(_BUSY % (b"9" * 400))}),
        (
            "exchanges-without-bounds",
            {
                "far-pause": answering(_BUSY % b"2147483647"),
                "dripping": _drip,
                "endless": answering(_ENDLESS),
            },
        ),
    ],
)
def test_stopped_integrations_are_reported_by_name(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch, bug: str, scripts: Mapping[str, Script]
) -> None:
    settings = fresh_settings
    monkeypatch.setattr(sync_stalls, "STALL_AFTER", timedelta(seconds=10))
    found: dict[str, Stall] = {}

    def reported() -> bool:
        with connect(settings, application_name="tests", autocommit=True) as connection:
            found.update(
                {stall.place: stall for stall in sync_stalls.sync_stalls(connection, datetime.now(UTC))}
            )
        return found.keys() >= {f"integration {name}" for name in scripts}

    with contextlib.ExitStack() as stack:
        for name, script in scripts.items():
            _add(settings, name, f"{stack.enter_context(hostile(script)).url}/cal/")
        role = stack.enter_context(
            running(
                settings,
                "connectors",
                f"tests.faults.mutants.run {bug} --",
                INTERACTIONS_SECRETS_KEY=_KEY,
                INTERACTIONS_CONNECTORS_PORT="0",
                INTERACTIONS_CONNECTORS_EXCHANGE_SECONDS="3",
                INTERACTIONS_CONNECTORS_POLL_SCALE="0.1",
            )
        )
        wait_until(reported, _WITHIN_SECONDS, lambda: f"{found}\n{role.log[-3000:]}")
    for name in scripts:
        stall = found[f"integration {name}"]
        print(stall)
        assert stall.stage == "polls"
        assert f"integration {name} " in stall.reason
        assert "\n" not in stall.reason


def _person() -> Raw:
    entity = new_id()
    message = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})
    return Raw(entity.encode(), orjson.dumps(message), (), 0)


def _publish_in_a_transaction(settings: Settings) -> None:
    producer = make_producer(settings, **{"transactional.id": new_id()})
    producer.init_transactions(30)
    producer.begin_transaction()
    record = _person()
    producer.produce(settings.topic(COMMANDS), key=record.key, value=record.value, partition=0)
    producer.commit_transaction(30)


def _delete_all(settings: Settings) -> int:
    admin, topic = make_admin(settings), settings.topic(COMMANDS)
    end = partition_ends(admin, topic, [0])[0].high
    for future in admin.delete_records([TopicPartition(topic, 0, end)]).values():
        future.result()
    return end


@pytest.mark.parametrize("bug", ["none", "marker-taken-for-a-loss"])
def test_a_partition_with_a_gap_is_refused_and_reported(fresh_settings: Settings, bug: str) -> None:
    settings, module = fresh_settings, f"tests.faults.mutants.run {bug} --"
    watching = settings.model_copy(update={"stuck_after_seconds": 10.0})
    with running(settings, "applier", module):
        _publish_in_a_transaction(settings)
        wait_until(
            lambda: (kept := read_stored_offsets(settings, [0]).get(0)) is not None and kept.next_offset > 0,
            30,
        )
    if bug == "none":
        publish(settings, [_person()])  # lost for real
    end = _delete_all(settings)
    publish(settings, [_person()])
    with running(settings, "applier", module) as applier:
        assert applier.wait_for_exit() == 2
        assert f"to {end - 1} were deleted by retention" in applier.log
    found: list[Stall] = []

    def reported() -> bool:
        found[:] = core_stalls(watching)
        return bool(found)

    wait_until(reported, _WITHIN_SECONDS)
    [stall] = found
    print(stall)
    assert (stall.stage, stall.place) == ("applied", f"partition 0, offset {end}")
    assert f"offset {end} of partition 0 is not applied" in stall.reason
