"""A policy below its floor is refused by name, with the floor and its reason."""

from __future__ import annotations

import math

import pytest

from runtime.retention_settings import RetentionSettings, read_retention_settings
from schemas.errors import Stop
from schemas.topics import BY_NAME, COMMANDS, DAY_MS, DEAD_LETTERS
from sinks.retention_policy import BOUNDING_TOPICS, UNDO_DAYS, require_safe, retention_policies

TOPICS = {name: int(BY_NAME[name].config["retention.ms"]) / DAY_MS for name in BOUNDING_TOPICS}


def test_the_defaults_are_safe() -> None:
    policies = retention_policies(RetentionSettings(), TOPICS)
    require_safe(policies)
    assert policies[0].table == "journal"
    assert policies[0].floor == 90, "dead letters can be replayed for that time"
    assert len({it.setting for it in policies}) == len(RetentionSettings.model_fields)


@pytest.mark.parametrize("field", RetentionSettings.model_fields)
def test_a_value_just_below_its_floor_is_refused(field: str) -> None:
    setting = f"INTERACTIONS_RETENTION_{field.upper()}"
    (policy,) = [it for it in retention_policies(RetentionSettings(), TOPICS) if it.setting == setting]
    if not policy.floor:
        pytest.skip("any time will do")
    exact = retention_policies(read_retention_settings(**{field: policy.floor}), TOPICS)
    require_safe(exact)
    below = retention_policies(read_retention_settings(**{field: policy.floor - 0.5}), TOPICS)
    with pytest.raises(
        Stop, match=f"{setting}={policy.floor - 0.5:g} is below the floor of {policy.floor:g}"
    ):
        require_safe(below)


def test_the_floor_of_the_journal_follows_the_topics() -> None:
    longer = {**TOPICS, COMMANDS: 200.0}
    assert retention_policies(RetentionSettings(), longer)[0].floor == 200 + UNDO_DAYS
    endless = {**TOPICS, DEAD_LETTERS: math.inf}
    with pytest.raises(Stop, match="JOURNAL_DAYS=400 is below the floor of inf days"):
        require_safe(retention_policies(RetentionSettings(), endless))


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_RETENTION_JOURNAL_DAYS", "500")
    assert read_retention_settings().journal_days == 500
    monkeypatch.setenv("INTERACTIONS_RETENTION_JOURNAL_DAYS", "none")
    with pytest.raises(Stop, match="INTERACTIONS_RETENTION_JOURNAL_DAYS"):
        read_retention_settings()
