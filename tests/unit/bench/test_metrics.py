"""Metrics over given samples: figures, floors, failed scenarios, and what is written and returned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.__main__ import report
from bench.metric import Figure, Metric
from bench.page import replace_part, table
from bench.ratio import ratio_of
from bench.registry import GROUPS, METRICS, PROFILE_SCENARIOS
from bench.results import entry
from bench.rounds import wanted_scenarios
from bench.samples import MissingSample, Samples
from bench.scenarios.fairness import shown_within

BY_ID = {metric.id: metric for metric in METRICS}


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(tmp_path / "journal")


def _sql(applied: float, copied: float) -> dict[str, Any]:
    return {
        "applied": applied, "copied": copied, "redelivered": 4 * applied, "repeated": 2.5 * applied,
        "commands": 100, "rows": 350, "client_us": 20.0, "server_us": 60.0, "checkpoints": 3,
        "copy_server_us": 50.0, "wal_bytes": 3000.0, "copied_wal_bytes": 4900.0, "disk_bytes": 2000.0,
        "row_bytes": 700.0,
    }  # fmt: skip


def test_the_bounds_of_the_pipeline_stay_fixed() -> None:
    mine = [metric for metric in METRICS if metric.id.startswith("P")]
    bounds = {metric.id: (metric.floor, metric.aim, metric.upper) for metric in mine}
    assert bounds == {
        "P1": (0.60, 0.70, False), "P2": (0.70, 0.80, False), "P3": (40, 60, False), "P4": (0.80, 1.0, False),
        "P4c": (0.70, 0.85, False), "P4r": (1.5, 1.5, False), "P5": (2.5, 4, False), "P6": (1.5, 2, False),
        "P7": (8, 4, True), "P8": (10, 5, True), "P9": (1.25, 1.5, False), "P10": (0.90, 0.97, False),
        "P11": (0.80, 0.95, False), "P12": (0.7, 0.9, False), "P13": (200, 160, True), "P14": (5, 3.5, True),
    }  # fmt: skip


def test_the_figure_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians(samples: Samples) -> None:
    for applied, copied in ((10.0, 100.0), (60.0, 100.0), (90.0, 100.0), (400.0, 500.0), (20.0, 400.0)):
        samples.add("sql_only", _sql(applied, copied))
    figure = BY_ID["P1"].figure(samples)
    assert figure.value == pytest.approx(0.6)
    assert figure.parts["spread"] == [0.05, 0.9]
    assert BY_ID["P1"].met(figure)


def test_a_scenario_that_failed_once_leaves_no_figure(samples: Samples) -> None:
    samples.add("sql_only", _sql(90.0, 100.0))
    samples.add("sql_only", {"error": "RuntimeError: the server went away"})
    figure = BY_ID["P1"].figure(samples)
    assert figure.value is None
    assert "the server went away" in figure.parts["missing"]
    assert not BY_ID["P1"].met(figure)


def test_a_peer_that_cannot_be_run_is_a_missed_floor(samples: Samples) -> None:
    samples.add("two_processes", {"rate": 1000.0, "all_us": 100.0})
    samples.add("quix", {"rate": 10.0})
    samples.add("debezium_sink", {"rate": 10.0, "all_us": 10.0})
    samples.add("debezium_sink_two", {"error": "Stop: cannot be downloaded"})
    assert BY_ID["P4"].figure(samples).value is None
    assert BY_ID["P4c"].figure(samples).value is None


def test_the_best_peer_counts(samples: Samples) -> None:
    samples.add("sql_only", _sql(100.0, 200.0))
    samples.add("two_processes", {"rate": 1000.0, "all_us": 140.0})
    samples.add("quix", {"rate": 900.0})
    samples.add("debezium_sink", {"rate": 500.0, "all_us": 60.0})
    samples.add("debezium_sink_two", {"rate": 800.0, "all_us": 70.0})
    figure = BY_ID["P4"].figure(samples)
    assert figure.value == pytest.approx(1.25)
    assert figure.parts["debezium_sink_two_per_second"] == 800.0
    assert BY_ID["P4c"].figure(samples).value == pytest.approx(0.5)
    assert BY_ID["P4r"].figure(samples).value == pytest.approx(70 / (140 / 3.5))


def test_latencies_are_in_units_of_an_idle_transaction(samples: Samples) -> None:
    run = {
        "pace": 1000, "samples": 30, "publisher_late_p99": 0.001, "event_p50": 0.03, "event_p99": 0.06,
        "outcome_p50": 0.05, "outcome_p99": 0.09, "transaction_p50": 0.01, "transaction_p99": 0.015,
    }  # fmt: skip
    samples.add("fixed_load", run)
    assert BY_ID["P7"].figure(samples).value == pytest.approx(4.0)
    assert BY_ID["P8"].figure(samples).value == pytest.approx(6.0)
    assert BY_ID["P8"].figure(samples).parts["outcome_p99_ms"] == 90.0


def test_the_log_is_measured_by_the_row(samples: Samples) -> None:
    samples.add("sql_only", _sql(100.0, 200.0))
    assert BY_ID["P14"].figure(samples).value == pytest.approx(3000 / 700)


def test_the_slower_kind_of_duplicate_counts(samples: Samples) -> None:
    samples.add("sql_only", _sql(100.0, 200.0))
    samples.add("end_to_end", {"rate": 50.0, "repeated_rate": 100.0})
    assert BY_ID["P5"].figure(samples).value == pytest.approx(2.5)


def _mirrored(seconds: list[float]) -> dict[str, Any]:
    return {"seconds": seconds, "p99": max(seconds), "refused_by_limit": 0, "hostile_connections": 4}


def test_fairness_compares_the_p99s_of_all_rounds_together(samples: Samples) -> None:
    for slow in (0.5, 0.2):
        samples.add("changes_alone", _mirrored([0.1] * 98 + [0.2, slow]))
        samples.add("changes_beside_hostile", _mirrored([0.1] * 98 + [0.3, slow]))
    figure = BY_ID["C2"].figure(samples)
    assert figure.value == pytest.approx(0.3 / 0.2)
    assert figure.parts["changes_per_side"] == 200
    assert figure.parts["spread"] == [1.0, 1.5]
    assert figure.parts["hostile_connections"] == 8
    assert BY_ID["C2"].met(figure)


def test_a_healthy_integration_slowed_by_more_than_half_misses_the_floor(samples: Samples) -> None:
    samples.add("changes_alone", _mirrored([0.2] * 100))
    samples.add("changes_beside_hostile", _mirrored([0.31] * 100))
    assert not BY_ID["C2"].met(BY_ID["C2"].figure(samples))
    assert (BY_ID["C2"].floor, BY_ID["C2"].upper) == (1.5, True)


def test_a_change_is_shown_by_itself_or_by_a_later_one_of_the_same_card() -> None:
    intended = {0: 10.0, 1: 11.0, 2: 12.0, 3: 13.0}
    seen = {1: 11.5, 2: 12.5, 3: 13.25}
    assert shown_within(intended, seen, cards=2) == [2.5, 0.5, 0.5, 0.25]


def test_memory_is_the_highest_peak(samples: Samples) -> None:
    for peak in (150.0, 210.0, 140.0):
        samples.add("end_to_end", {"rss_peak": peak, "rss": 100.0, "pss": 80.0, "relay_rss": 90.0})
    figure = BY_ID["P13"].figure(samples)
    assert figure.value == 210.0
    assert not BY_ID["P13"].met(figure)


def test_the_entry_of_an_upper_bound_says_so() -> None:
    figure = Figure(12.34567, {"ms": 1})
    assert entry(BY_ID["P7"], figure) == {
        "value": 12.3457, "floor": 8.0, "aim": 4.0, "parts": {"ms": 1}, "upper": True,
    }  # fmt: skip
    assert entry(BY_ID["P1"], Figure(None, {})) == {"value": None, "floor": 0.6, "aim": 0.7, "parts": {}}


def test_a_missed_floor_ends_with_one() -> None:
    console = Console(quiet=True)
    good, bad = (BY_ID["P1"], Figure(0.7, {})), (BY_ID["P7"], Figure(10.1, {}))
    assert report([good], console) == 0
    assert report([good, bad], console) == 1
    assert report([good, (BY_ID["P4"], Figure(None, {"missing": "x"}))], console) == 1
    assert "**no**" in table([bad])
    assert "**no**" not in table([good])


def test_the_journal_goes_on_where_it_stopped(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    Samples(journal).add("quix", {"rate": 3.0})
    Samples(journal).add("quix", {"error": "interrupted"})
    again = Samples(journal)
    again.add("quix", {"rate": 5.0})
    assert again.count("quix") == 2
    assert Samples(journal).series("quix", "rate") == [3.0, 5.0]
    with pytest.raises(MissingSample, match="poison did not run"):
        again.series("poison", "rate")


def test_every_metric_finds_its_scenarios_and_every_scenario_is_needed() -> None:
    known = [scenario for group in GROUPS for scenario in group.scenarios]
    assert len(known) == len(set(known))
    assert set(known) == {scenario for metric in METRICS for scenario in metric.scenarios} | set(
        PROFILE_SCENARIOS
    )
    assert wanted_scenarios(["P1", "P5"]) == {"sql_only", "end_to_end"}
    with pytest.raises(ValueError, match="unknown metric: P99"):
        wanted_scenarios(["P99"])


def test_uneven_series_are_compared_as_far_as_both_go() -> None:
    figure = ratio_of(("a", [2.0, 4.0, 100.0]), ("b", [1.0, 1.0]))
    assert figure.value == pytest.approx(3.0)
    assert figure.parts["rounds"] == 2


def test_a_part_of_the_page_is_replaced_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n")
    replace_part("x", "new", page)
    assert page.read_text() == "a\n<!-- begin x -->\nnew\n<!-- end x -->\nb\n"
    with pytest.raises(ValueError, match="no part 'y'"):
        replace_part("y", "new", page)


def test_a_metric_without_samples_misses_its_floor(samples: Samples) -> None:
    assert all(not metric.met(metric.figure(samples)) for metric in METRICS)
    assert isinstance(BY_ID["P1"], Metric)
