"""Marker in the footer of a text: found in every form that editors leave, and read in linear time."""

from __future__ import annotations

import pytest

from connectors.sdk.coarse_forms import one_line, plain
from connectors.sdk.text_marker import MarkedText

_ODD = ["\n" * 40_000, "---" + "\n" * 40_000, " \n" * 20_000, "---\n" * 10_000, "ref:" + "x" * 40_000]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", _ODD)
def test_blank_and_repeated_lines_are_read_in_linear_time(text: str) -> None:
    assert MarkedText.read(text).marker is None
    assert MarkedText.read(f"{text}\n---\nref:m-1").marker == "m-1"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_footer_is_found_with_any_line_end(line_end: str) -> None:
    text = MarkedText("one\ntwo", "m-1", deleted=True).text().replace("\n", line_end)
    assert MarkedText.read(text) == MarkedText("one\ntwo", "m-1", deleted=True)


def test_lone_surrogates_are_left_out() -> None:
    assert one_line("a\ud800b") == "ab"
    assert plain("\udfff") is None
    assert plain("\U0001f600") == "\U0001f600"
