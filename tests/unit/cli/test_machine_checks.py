"""`interactions doctor`: checks of the machine."""

from __future__ import annotations

from pathlib import Path

from cli.doctor.machine import home_check


def test_a_closed_folder_above_the_home_is_named_to_root(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = home_check(closed / "home", root=True)
    assert found.state == "fail"
    assert str(closed) in found.detail
    assert home_check(closed / "home", root=False).state == "ok"


def test_the_home_itself_may_be_closed_because_the_start_opens_it(open_folder: Path) -> None:
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    assert home_check(home, root=True).state == "ok"


def test_an_open_home_is_fine(open_folder: Path) -> None:
    assert home_check(open_folder / "home", root=True).state == "ok"
