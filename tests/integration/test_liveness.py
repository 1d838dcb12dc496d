"""A role without progress ends and its successor continues; a role whose server is unavailable waits."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import EVENTS
from sinks.backlog import unpublished
from tests.harness.histories import history
from tests.harness.roles import running, wait_until
from tests.harness.tcp_proxy import TcpProxy
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, outcomes, publish, wait_for_results

pytestmark = pytest.mark.integration
_STUCK = {"INTERACTIONS_STUCK_AFTER_SECONDS": "2"}
_STALLED = "tests.harness.stalled_role"


def test_an_applier_without_input_ends_and_its_successor_continues(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"topic_partitions": 6})
    with running(settings, "applier", _STALLED, **_STUCK) as stalled:
        stalled.wait_for_log("applier.assigned")
        places = publish(settings, history(seed=1, commands=60, entities=30))
        places += publish(settings, history(seed=2, commands=60, entities=30))
        assert stalled.wait_for_exit() == 2
        assert "liveness.stuck" in stalled.log
        assert "the applier is stuck. The command at offset" in stalled.log
    with running(settings, "applier"):
        wait_for_results(settings, places, 60)


@pytest.mark.long
def test_a_relay_without_input_ends_and_its_successor_continues(fresh_settings: Settings) -> None:
    settings = fresh_settings

    def left() -> int:
        with connect(settings, application_name="test", autocommit=True) as connection:
            return unpublished(connection, "0")

    with running(settings, "applier"):
        with running(settings, "relay", _STALLED, **_STUCK) as stalled:
            stalled.wait_for_log("relay.leading")
            places = publish(settings, history(seed=3, commands=60, entities=30))
            wait_for_results(settings, places, 60)
            # It stalls after its first window. With both histories in that window, nothing would wait.
            wait_until(lambda: bool(read_topic(settings, EVENTS)), 60)
            places = publish(settings, history(seed=4, commands=60, entities=30))
            wait_for_results(settings, places, 60)
            assert stalled.wait_for_exit() == 2
            assert "the relay is stuck. Events wait in the journal from position" in stalled.log
        assert left() > 0
        with running(settings, "relay"):
            wait_until(lambda: left() == 0, 30)


@pytest.mark.long
def test_an_outage_longer_than_the_patience_ends_no_role(fresh_settings: Settings) -> None:
    assert fresh_settings.database_url is not None
    database = urlsplit(fresh_settings.database_url.get_secret_value())
    assert database.port is not None
    with TcpProxy(database.port) as proxy:
        netloc = database.netloc.replace(f":{database.port}", f":{proxy.port}")
        through = SecretStr(database._replace(netloc=netloc).geturl())
        settings = fresh_settings.model_copy(update={"database_url": through})
        with running(settings, "applier", **_STUCK) as applier, running(settings, "relay", **_STUCK) as relay:
            relay.wait_for_log("relay.leading")
            first = publish(fresh_settings, history(seed=5, commands=60, entities=30))
            wait_for_results(fresh_settings, first, 60)
            proxy.cut()
            waiting = publish(fresh_settings, history(seed=6, commands=60, entities=30))
            began = time.monotonic()
            wait_until(lambda: time.monotonic() - began > 6, 10)  # three times their patience
            proxy.heal()
            wait_for_results(fresh_settings, waiting, 60)
            assert applier.process.poll() is None
            assert relay.process.poll() is None
            assert "liveness.stuck" not in applier.log + relay.log


def test_a_relay_that_takes_over_stores_its_position_without_new_events(fresh_settings: Settings) -> None:
    settings = fresh_settings
    with running(settings, "applier"), running(settings, "relay"):
        customer = new_id()
        data = {"id": customer, "kind": "person", "displayName": "Ada"}
        outcomes(settings, [event("entity.upsert", customer, data)])
        wait_until(lambda: _stored_position(settings) > 0, 30)
    with connect(settings, application_name="test", autocommit=True) as connection:
        # As if the former leader had been killed after its last publication, before it stored the position.
        connection.execute("UPDATE relay_positions SET xid_floor = 0, position = 0")
    with running(settings, "relay"):
        wait_until(lambda: _stored_position(settings) > 0, 30)


def _stored_position(settings: Settings) -> int:
    with connect(settings, application_name="test", autocommit=True) as connection:
        row = connection.execute("SELECT max(xid_floor) FROM relay_positions").fetchone()
    return int(row[0] or 0) if row else 0
