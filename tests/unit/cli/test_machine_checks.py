"""What `interactions doctor` says of the machine."""

from __future__ import annotations

from pathlib import Path

from cli.machine_checks import home_check


def test_a_closed_folder_above_the_home_is_named_to_root(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = home_check(closed / "home", root=True)
    assert found.state == "warn"
    assert str(closed) in found.detail
    assert home_check(closed / "home", root=False).state == "ok"


def test_an_open_home_is_fine(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if folder.stat().st_mode & 0o077 == 0:
            folder.chmod(0o711)
    assert home_check(tmp_path / "home", root=True).state == "ok"
