"""Caches of the JVM: made once, by one process, and never in the way of a start."""

from __future__ import annotations

import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stack.aot_cache import fast_start
from stack.artifacts import Progress, cache_root
from stack.home import Home
from stack.server import Launch

#: Writes its cache when it is stopped, as the JVM does.
_SERVER = """
import pathlib, signal, sys
def stop(*_):
    pathlib.Path(sys.argv[1]).write_text("cache")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[2]).touch()
signal.pause()
"""


class FakeServer:
    """A server whose process is a small script."""

    role = "fake"
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home, options: list[str], script: str) -> None:
        made = options[0].removeprefix("-XX:AOTCacheOutput=")
        self._ready = home.run / "ready"
        self._launch = Launch(
            arguments=[sys.executable, "-c", script, made, str(self._ready)], folder=home.root
        )

    def prepare(self, progress: Progress) -> None:
        progress("preparing")

    def launch(self) -> Launch:
        return self._launch

    def not_ready(self) -> str | None:
        return None if self._ready.exists() else "it has not answered"

    def after_ready(self) -> None:
        raise AssertionError("a rehearsal sets nothing up")

    def clean(self) -> None:
        raise AssertionError("a rehearsal leaves nothing behind")


class Rehearsals:
    """Makes fake servers, and counts them."""

    def __init__(self, script: str = _SERVER) -> None:
        self.count = 0
        self._script = script
        self._lock = threading.Lock()

    def __call__(self, home: Home, options: list[str]) -> FakeServer:
        with self._lock:
            self.count += 1
        return FakeServer(home, options, self._script)


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class path of one file, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    jar = tmp_path / "a.jar"
    jar.write_text("classes")
    return jar


def start(rehearsal: Rehearsals, *jars: Path) -> list[str]:
    return fast_start("fake", jars, rehearsal, lambda _step: None)


def test_one_rehearsal_serves_all_starts_of_the_same_class_path(jar: Path) -> None:
    rehearsal = Rehearsals()
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(lambda _: start(rehearsal, jar), range(3))
    (option,) = first
    assert Path(option.removeprefix("-XX:AOTCache=")).read_text() == "cache"
    assert others == [first, first]
    assert rehearsal.count == 1
    assert not list(cache_root().glob("rehearsing-*")), "the scratch folder is removed"


def test_another_class_path_has_another_cache(jar: Path) -> None:
    rehearsal = Rehearsals()
    before = start(rehearsal, jar)
    jar.write_text("other classes")
    assert start(rehearsal, jar) != before
    folder = jar.parent / "lib"
    folder.mkdir()
    (folder / "b.jar").write_text("more classes")
    with_folder = start(rehearsal, jar, folder)
    (folder / "b.jar").write_text("still more classes")
    assert start(rehearsal, jar, folder) != with_folder
    assert rehearsal.count == 4


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; sys.exit('no memory')", "no memory"),
        (_SERVER.replace('pathlib.Path(sys.argv[1]).write_text("cache")', "print('disk full')"), "disk full"),
    ],
    ids=["does not start", "writes no cache"],
)
def test_a_failed_rehearsal_is_noted_and_not_repeated(jar: Path, script: str, reason: str) -> None:
    broken = Rehearsals(script)
    assert start(broken, jar) == []
    assert start(broken, jar) == []
    assert broken.count == 1
    (note,) = cache_root().glob("aot/*.failed")
    assert reason in note.read_text()
    assert "Delete this file to try again" in note.read_text()
    note.unlink()
    assert start(Rehearsals(), jar), "the next start tries again"


def test_a_server_that_is_never_ready_ends_with_its_deadline(
    jar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.aot_cache._SECONDS", 0.5)
    began = time.monotonic()
    assert start(Rehearsals("import time; time.sleep(60)"), jar) == []
    assert time.monotonic() - began < 30
