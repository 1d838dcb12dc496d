"""Isolated records are counted and logged."""

from __future__ import annotations

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from runtime.isolated import note_isolated


def _counted(event: str) -> float:
    return REGISTRY.get_sample_value("interactions_isolated_total", {"event": event}) or 0.0


def test_an_isolated_record_is_counted_and_logged() -> None:
    before, others = _counted("relay.isolated"), _counted("applier.isolated")
    with capture_logs() as logs:
        note_isolated("relay.isolated", position=7)
    assert logs == [{"event": "relay.isolated", "log_level": "error", "position": 7}]
    assert _counted("relay.isolated") == before + 1
    assert _counted("applier.isolated") == others
