"""Fixtures for the tests of drafts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# The assertions of the writers' suite explain themselves when they fail; before anything imports it.
pytest.register_assert_rewrite("streams.drafts.writers.conformance")

from tests.harness.completions_server import CompletionsServer  # noqa: E402


@pytest.fixture
def service() -> Iterator[CompletionsServer]:
    """A scripted chat-completions server."""
    with CompletionsServer() as server:
        yield server
