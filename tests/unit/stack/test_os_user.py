"""Folder permissions when root starts the stack: only those of the home may change."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from schemas.errors import Stop
from stack.os_user import copy_for_others, open_home, usable_by_others


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def closed_folder(path: Path) -> Path:
    path.mkdir()
    path.chmod(0o700)
    return path


def test_the_home_and_what_is_below_it_are_opened(open_folder: Path) -> None:
    home = closed_folder(open_folder / "home")
    data = closed_folder(home / "data")

    open_home(home, data / "postgres")

    assert (mode(home), mode(data)) == (0o701, 0o701)


def test_a_closed_folder_above_the_home_is_refused_and_nothing_changes(open_folder: Path) -> None:
    private = closed_folder(open_folder / "private")
    home = closed_folder(private / "home")
    (home / "data").mkdir()

    advice = rf"cannot search {private}\. .*INTERACTIONS_HOME.*chmod o\+x {private}$"
    with pytest.raises(Stop, match=advice):
        open_home(home, home / "data" / "postgres")

    assert (mode(private), mode(home)) == (0o700, 0o700)


def test_programs_in_a_closed_folder_are_copied_and_left_as_they_are(open_folder: Path) -> None:
    private = closed_folder(open_folder / "private")
    programs = closed_folder(private / "programs")
    (programs / "postgres").write_text("#!/bin/sh\n")
    (programs / "postgres").chmod(0o700)
    (programs / "share").write_text("data")
    (programs / "share").chmod(0o600)
    (programs / "link").symlink_to("share")

    assert not usable_by_others(programs)
    copy_for_others(programs, open_folder / "copy")

    assert usable_by_others(open_folder / "copy")
    assert mode(open_folder / "copy" / "postgres") == 0o755
    assert mode(open_folder / "copy" / "share") == 0o644
    assert (open_folder / "copy" / "link").is_symlink()
    assert mode(programs / "postgres") == 0o700


def test_a_copy_that_was_interrupted_is_made_again(open_folder: Path) -> None:
    programs = open_folder / "programs"
    programs.mkdir(mode=0o755)
    (programs / "postgres").write_text("whole")
    (open_folder / "copy.new").mkdir()
    (open_folder / "copy.new" / "postgres").write_text("ha")

    copy_for_others(programs, open_folder / "copy")

    assert (open_folder / "copy" / "postgres").read_text() == "whole"
