"""A stack dump of a running role shows where its threads are, never their data."""

from __future__ import annotations

import base64
import signal
import socket

import pytest

from runtime.settings import Settings
from tests.harness.roles import running, wait_until
from tests.harness.wire import event, new_id, publish, wait_for_results

pytestmark = pytest.mark.integration


def test_stack_dump_signals_show_no_customer_text(fresh_settings: Settings) -> None:
    entity, secret = new_id(), "Zaphod Beeblebrox"
    person = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": secret})
    with running(fresh_settings, "applier") as applier:
        wait_for_results(fresh_settings, publish(fresh_settings, [person]), 60)
        applier.process.send_signal(signal.SIGUSR2)  # Faust's own handler starts a debugger
        applier.process.send_signal(signal.SIGUSR1)
        applier.wait_for_log("most recent call first")
        again = event("interaction.create", entity, {"interactionType": "call", "title": secret})
        wait_for_results(fresh_settings, publish(fresh_settings, [again]), 60)
        assert applier.process.poll() is None
        assert secret not in applier.log


def test_the_connectors_handle_them_too(fresh_settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    key = base64.b64encode(bytes(32)).decode()
    own = {"INTERACTIONS_SECRETS_KEY": f"k1:{key}", "INTERACTIONS_CONNECTORS_PORT": port}
    with running(fresh_settings, "connectors", **own) as connectors:
        wait_until(lambda: _listens(int(port)), 60)
        connectors.process.send_signal(signal.SIGUSR2)
        connectors.process.send_signal(signal.SIGUSR1)
        connectors.wait_for_log("most recent call first")
        assert connectors.process.poll() is None


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
