"""The suite's assertions explain themselves when they fail."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("connectors.conformance")
