"""The generated week: deterministic per seed, realistic, with every kind of mistake."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from examples.generate_week import generate, main, week_samples
from examples.week.mistakes import KINDS
from examples.week.signals import open_signal_of_a_person

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_week() -> None:
    def lines(seed: int) -> list[str]:
        return [json.dumps(event) for event in generate(seed, 40, NOW)]

    assert lines(7) == lines(7)
    assert not set(lines(7)) & set(lines(8))


def test_two_tenants_and_about_two_percent_of_mistakes() -> None:
    samples = list(week_samples(7, 300, NOW))
    rejected = [sample for sample in samples if sample.outcome == "rejected"]
    assert 0.015 < len(rejected) / len(samples) < 0.03
    assert len({sample.event.get("tenantid") for sample in samples} - {None}) == 2
    assert len({sample.event["entityid"] for sample in samples}) >= 300
    kinds = Counter(sample.event["type"].removeprefix("customers.interaction.") for sample in samples)
    for verb in ("create", "update", "complete", "cancel", "reopen", "delete", "undo"):
        assert kinds[verb] > 5, verb
    for verb in ("record", "skip", "resolve"):
        assert kinds[f"customers.signal.{verb}"] > 2, verb


@pytest.mark.parametrize("seed", range(5))
def test_a_signal_of_a_person_is_left_open(seed: int) -> None:
    samples = list(week_samples(seed, 20, NOW))
    left = open_signal_of_a_person(samples).event
    of_it = [sample for sample in samples if sample.event["data"].get("id") == left["data"]["id"]]
    assert [sample.event["type"] for sample in of_it] == ["customers.signal.record"]


@pytest.mark.parametrize("seed", range(5))
def test_each_kind_of_mistake_is_made_whatever_the_seed(seed: int) -> None:
    samples = list(week_samples(seed, 300, NOW))
    codes = Counter(sample.code for sample in samples if sample.outcome == "rejected")
    # Seven kinds break the data; each other kind has its own code, and the strict type is one more.
    assert codes["validation_failed"] >= 7
    assert sum(codes.values()) >= len(KINDS) + 1
    assert len(codes) == len(KINDS) - 7 - 1 + 1 + 1  # two kinds are both interaction_not_found


def test_made_in_the_week_in_order_and_planned_in_working_hours() -> None:
    samples = list(week_samples(3, 60, NOW))
    made = [sample.made_at for sample in samples]
    assert made == sorted(made)
    assert NOW - timedelta(days=7) <= made[0]
    assert made[-1] < NOW
    for sample in samples:
        data = sample.event["data"]
        if sample.outcome == "applied" and sample.event["type"].endswith("create") and "scheduledAt" in data:
            moment = datetime.fromisoformat(data["scheduledAt"])
            assert moment.weekday() < 5 or moment == sample.made_at
            assert 8 <= moment.hour <= 17 or moment == sample.made_at


def test_too_few_customers_and_a_moment_without_offset_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="offset"):
        list(week_samples(1, 30, NOW.replace(tzinfo=None)))
    with pytest.raises(SystemExit) as ended:
        main(["--customers", "3"])
    assert ended.value.code == 2
    assert "at least 20 customers" in capsys.readouterr().err
