"""Two workers in one group: partitions move mid-stream and nothing is lost or duplicated."""

from __future__ import annotations

import signal
import threading

import pytest

from runtime.settings import Settings
from tests.harness.audit import assert_clean
from tests.harness.histories import history
from tests.harness.roles import running, wait_until
from tests.harness.wire import publish, results_by_place, wait_for_results

# Longer than all its waits together.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]


@pytest.mark.long
def test_a_second_worker_joins_and_the_first_leaves(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"batch_size": 50})
    places: list[tuple[int, int]] = []
    stream = threading.Thread(
        target=lambda: places.extend(publish(settings, history(seed=5, commands=4000, entities=200)))
    )
    with running(settings, "relay"), running(settings, "applier") as first:
        stream.start()
        first.wait_for_log("applier.assigned")
        wait_until(lambda: len(results_by_place(settings)) > 200, 60)
        with running(settings, "applier") as second:
            first.wait_for_log("applier.revoked")
            second.wait_for_log("applier.assigned")
            stream.join()
            first.stop()
            wait_for_results(settings, places, 120)
            assert_clean(settings)


def test_a_killed_worker_is_replaced_by_the_other(fresh_settings: Settings) -> None:
    settings = fresh_settings.model_copy(update={"batch_size": 50})
    with (
        running(settings, "relay"),
        running(settings, "applier") as first,
        running(settings, "applier") as second,
    ):
        second.wait_for_log("applier.assigned")
        places = publish(settings, history(seed=6, commands=3000, entities=200))
        wait_until(lambda: len(results_by_place(settings)) > 200, 60)
        first.kill()
        wait_for_results(settings, places, 120)
        assert_clean(settings)


@pytest.mark.long
def test_a_transaction_that_a_killed_owner_left_open_is_waited_for(fresh_settings: Settings) -> None:
    """Its offsets are part of it: until it ends, it is unknown which results are published."""
    settings = fresh_settings.model_copy(update={"batch_size": 50})
    armed = {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": "after-offsets-before-commit:8"}
    with running(settings, "relay"), running(settings, "applier", **armed) as first:
        first.wait_for_log("applier.assigned")
        # A different transactional id: a successor with the same one would abort the transaction at once.
        with running(settings, "applier") as second:
            second.wait_for_log("applier.assigned")
            places = publish(settings, history(seed=9, commands=3000, entities=200))
            assert first.wait_for_exit() == -signal.SIGKILL
            wait_for_results(settings, places, 120)
            assert_clean(settings)


@pytest.mark.long
def test_a_paused_owner_that_resumes_writes_nothing(fresh_settings: Settings) -> None:
    """A zombie: SIGSTOP longer than the session timeout, then SIGCONT."""
    settings = fresh_settings.model_copy(update={"batch_size": 50})
    with running(settings, "relay"), running(settings, "applier") as zombie:
        zombie.wait_for_log("applier.assigned")
        places = publish(settings, history(seed=7, commands=3000, entities=200))
        wait_until(lambda: len(results_by_place(settings)) > 200, 60)
        zombie.process.send_signal(signal.SIGSTOP)
        with running(settings, "applier"):
            wait_for_results(settings, places, 120)
            zombie.process.send_signal(signal.SIGCONT)
            more = publish(settings, history(seed=8, commands=500, entities=50))
            wait_for_results(settings, more, 120)
            assert_clean(settings)
