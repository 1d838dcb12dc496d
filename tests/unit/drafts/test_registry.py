"""Registry and settings of writers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import Stop
from streams.drafts import writers
from streams.drafts.writers import registry
from streams.drafts.writers.openai_compatible import OpenAiCompatibleSettings, OpenAiCompatibleWriter
from streams.drafts.writers.registry import declarations, make_writer
from streams.drafts.writers.settings import DRAFTS_PREFIX, WriterSettings, read_drafts_settings
from streams.drafts.writers.template import TemplateWriter


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("WRITER", "BASE_URL", "MODEL", "API_KEY", "PARAMETERS"):
        monkeypatch.delenv(DRAFTS_PREFIX + name, raising=False)
    return monkeypatch


def test_writers_are_found_by_their_module() -> None:
    found = declarations()
    assert sorted(found) == ["openai_compatible", "template"]
    for name, declared in found.items():
        assert declared.name == name
        assert declared.summary.endswith(".")


def test_the_template_is_the_default(environment: pytest.MonkeyPatch) -> None:
    writer = make_writer(read_drafts_settings(WriterSettings))
    assert isinstance(writer, TemplateWriter)
    assert writer.name == "template"


def test_the_environment_chooses_and_configures_the_writer(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("INTERACTIONS_DRAFTS_WRITER", "openai_compatible")
    environment.setenv("INTERACTIONS_DRAFTS_BASE_URL", "http://127.0.0.1:11434")
    environment.setenv("INTERACTIONS_DRAFTS_MODEL", "small")
    environment.setenv("INTERACTIONS_DRAFTS_API_KEY", "sk-secret")
    environment.setenv("INTERACTIONS_DRAFTS_PARAMETERS", '{"max_tokens": 900, "temperature": 0.2}')
    writer = make_writer(read_drafts_settings(WriterSettings))
    assert isinstance(writer, OpenAiCompatibleWriter)
    writer.close()
    read = read_drafts_settings(OpenAiCompatibleSettings)
    assert read.parameters == {"max_tokens": 900, "temperature": 0.2}
    assert "sk-secret" not in repr(read)


@pytest.mark.parametrize("name", ["gpt", "", "prompt", "cleaning", "..", "template.py", "__init__", "os"])
def test_an_unknown_writer_stops_with_the_list(name: str) -> None:
    with pytest.raises(Stop, match="there are openai_compatible, template"):
        make_writer(WriterSettings(writer=name))


def test_missing_settings_stop_and_are_named(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(Stop) as caught:
        make_writer(WriterSettings(writer="openai_compatible"))
    assert "INTERACTIONS_DRAFTS_BASE_URL" in str(caught.value)
    assert "INTERACTIONS_DRAFTS_MODEL" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base_url", "api.example"),
        ("base_url", "ftp://secret.example"),
        ("base_url", "https://user:secret@api.example"),
        ("base_url", "https://api.example?key=secret"),
        ("parameters", {"tools": "secret"}),
        ("parameters", {"messages": "secret"}),
        ("deadline_seconds", 0),
        ("requests_per_tenant_and_day", 0),
    ],
)
def test_invalid_settings_stop_without_the_value(name: str, value: object) -> None:
    given = {"base_url": "https://api.example", "model": "m", name: value}
    with pytest.raises(Stop, match=f"{DRAFTS_PREFIX}{name.upper()}") as caught:
        read_drafts_settings(OpenAiCompatibleSettings, **given)
    assert "secret" not in str(caught.value)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A further module in the package of writers."""
    monkeypatch.setattr(writers, "__path__", [*writers.__path__, str(tmp_path)])
    yield tmp_path / "plugin.py"
    sys.modules.pop("streams.drafts.writers.plugin", None)
    registry._load.cache_clear()


def test_a_writer_is_one_file(plugin: Path) -> None:
    plugin.write_text(
        "from streams.drafts.writers.interface import WriterDeclaration\n"
        "from streams.drafts.writers.template import TemplateWriter\n"
        "DECLARATION = WriterDeclaration(name='plugin', summary='A plugin.', make=TemplateWriter)\n"
    )
    assert "plugin" in declarations()
    assert isinstance(make_writer(WriterSettings(writer="plugin")), TemplateWriter)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import no_such_module", "plugin cannot be loaded: ModuleNotFoundError"),
        ("DECLARATION = 5", "plugin must define DECLARATION named 'plugin'"),
        ("from streams.drafts.writers.template import DECLARATION", "must define DECLARATION named 'plugin'"),
    ],
)
def test_an_unusable_module_stops_its_own_writer_only(plugin: Path, source: str, problem: str) -> None:
    plugin.write_text(source)
    with pytest.raises(Stop, match=problem):
        make_writer(WriterSettings(writer="plugin"))
    assert sorted(declarations()) == ["openai_compatible", "template"]
    assert isinstance(make_writer(WriterSettings(writer="template")), TemplateWriter)
