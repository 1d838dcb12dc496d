"""A look inside a running role shows where its threads are, and never what they hold."""

from __future__ import annotations

import signal

import pytest

from runtime.settings import Settings
from tests.harness.roles import running
from tests.harness.wire import event, new_id, publish, wait_for_results

pytestmark = pytest.mark.integration


def test_signals_to_look_inside_show_no_customer_text(fresh_settings: Settings) -> None:
    entity, secret = new_id(), "Zaphod Beeblebrox"
    person = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": secret})
    with running(fresh_settings, "applier") as applier:
        wait_for_results(fresh_settings, publish(fresh_settings, [person]), 60)
        applier.process.send_signal(signal.SIGUSR2)  # Faust's own answer to it is a debugger
        applier.process.send_signal(signal.SIGUSR1)
        applier.wait_for_log("most recent call first")
        again = event("interaction.create", entity, {"interactionType": "call", "title": secret})
        wait_for_results(fresh_settings, publish(fresh_settings, [again]), 60)
        assert applier.process.poll() is None
        assert secret not in applier.log
