"""``interactions new-connector``: the skeleton files."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from cli.connectors.new_connector import new_connector
from connectors.sdk.declaration import Declaration
from schemas.errors import Reject, Stop


def _tree(folder: Path) -> Path:
    for part in ("connectors/providers", "tests/providers"):
        (folder / part).mkdir(parents=True)
    return folder


def test_both_files_load_and_pass_the_linter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = _tree(tmp_path)
    new_connector("post_box", tree)
    provider = tree / "connectors/providers/post_box.py"
    spec = importlib.util.spec_from_file_location("post_box", provider)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "post_box", module)
    spec.loader.exec_module(module)
    assert isinstance(module.DECLARATION, Declaration)
    assert module.DECLARATION.name == "post_box"
    assert module.DECLARATION.settings.secret_fields() == {"token"}
    test = tree / "tests/providers/test_post_box.py"
    compile(test.read_text(), str(test), "exec")
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--check",
        "--line-length",
        "110",
        str(provider),
        str(test),
    ]
    subprocess.run(ruff, check=True, capture_output=True)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    tree = _tree(tmp_path)
    new_connector("post_box", tree)
    with pytest.raises(Stop, match="already exists"):
        new_connector("post_box", tree)


@pytest.mark.parametrize("name", ["Post", "a", "1st", "post-box", "../x"])
def test_a_name_must_be_a_modules(tmp_path: Path, name: str) -> None:
    with pytest.raises(Reject):
        new_connector(name, _tree(tmp_path))


def test_it_wants_a_source_tree(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="source tree"):
        new_connector("post_box", tmp_path)
