"""The file of known violations that ``interactions audit --known`` reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.audit_command import _ids
from schemas.errors import Stop


def test_ids_are_read_one_per_line_without_comments(tmp_path: Path) -> None:
    file = tmp_path / "known.txt"
    file.write_text(
        "# looked into on 3 March\nA2-0123456789ab  # the import of February\n\nA1-ba9876543210\n"
    )
    assert _ids(file) == {"A2-0123456789ab", "A1-ba9876543210"}
    assert _ids(None) == frozenset()


def test_a_file_that_is_not_text_stops_the_audit(tmp_path: Path) -> None:
    file = tmp_path / "known.bin"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Stop, match="Cannot read"):
        _ids(file)
