"""kill -9 at every crash point: nothing is lost or duplicated, each event and result exists once."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from runtime.settings import Settings
from schemas.topics import EVENTS
from tests.harness.audit import assert_clean
from tests.harness.histories import history
from tests.harness.roles import running
from tests.harness.signal_story import Story
from tests.harness.topic_reader import read_topic
from tests.harness.wire import publish, wait_for_results

pytestmark = pytest.mark.integration

APPLIER_POINTS = (
    "after-poll:3",
    "after-decode:2",
    "mid-statement:2",
    "before-commit:2",
    "after-commit-before-results:1",
    "after-commit-before-results:3",
    "after-results-before-offsets:1",
    "after-results-before-offsets:2",
    "after-offsets-before-commit:2",
)
RELAY_POINTS = (
    "relay-after-read:2",
    "relay-after-send-before-commit:1",
    "relay-after-send-before-commit:3",
    "relay-after-commit-before-cleanup:2",
)
#: The short form.
_ONE_APPLIER = ("after-commit-before-results:1",)
_ONE_RELAY = ("relay-after-send-before-commit:1",)


def _armed(point: str) -> dict[str, str]:
    return {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": point}


def _commands(seed: int) -> Iterator[dict[str, Any]]:
    """A history, with customers whose signals go through every change among it."""
    stories = [Story(f"{seed}-{number}") for number in range(10)]
    for story in stories:
        story.everything()
    signals = (
        message
        for messages in zip(*(story.messages for story in stories), strict=True)
        for message in messages
    )
    for number, message in enumerate(history(seed=seed, commands=400)):
        yield message
        if number >= 150:
            yield from islice(signals, 1)
    yield from signals


def _assert_events_once(settings: Settings) -> None:
    seen = Counter(record.headers["ce_id"] for record in read_topic(settings, EVENTS))
    assert seen, "no event came out"
    assert not [identity for identity, count in seen.items() if count != 1]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("points", [_ONE_APPLIER, pytest.param(APPLIER_POINTS, marks=pytest.mark.long)])
def test_killed_appliers(fresh_settings: Settings, points: tuple[str, ...]) -> None:
    """All in one world: each applier continues from what its killed predecessor left."""
    settings = fresh_settings.model_copy(update={"batch_size": 100})
    places: list[tuple[int, int]] = []
    for number, point in enumerate(points):
        places += publish(settings, _commands(number))
        with running(settings, "applier", **_armed(point)) as victim:
            assert victim.wait_for_exit() == -signal.SIGKILL, point
            assert f"crash point {point.partition(':')[0]} reached" in victim.log
    with running(settings, "applier"), running(settings, "relay"):
        wait_for_results(settings, places)
        assert_clean(settings)
    _assert_events_once(settings)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("points", [_ONE_RELAY, pytest.param(RELAY_POINTS, marks=pytest.mark.long)])
def test_killed_relays(fresh_settings: Settings, points: tuple[str, ...]) -> None:
    settings = fresh_settings.model_copy(update={"batch_size": 100})
    with running(settings, "applier"):
        for number, point in enumerate(points):
            wait_for_results(settings, publish(settings, _commands(number)))
            with running(settings, "relay", **_armed(point)) as victim:
                assert victim.wait_for_exit() == -signal.SIGKILL, point
        with running(settings, "relay"):
            assert_clean(settings)
    _assert_events_once(settings)
