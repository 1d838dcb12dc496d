"""``interactions open``: the link, and the organization that it opens."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from typer.testing import CliRunner

import cli.open_command
from cli.token import SigningStack
from schemas.errors import Stop
from web.sign_in.local_ticket import read_ticket

KEY = b"the key of a stack that is long enough for it"
ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        cli.open_command, "signing_stack", lambda _home: SigningStack("http://127.0.0.1:8080", KEY)
    )
    monkeypatch.setattr(cli.open_command, "_only_organization", lambda: (OTHER, OTHER))
    monkeypatch.setattr(webbrowser, "open", lambda _link: pytest.fail("it opened a browser"))


def run(*arguments: str) -> str:
    app = typer.Typer()
    cli.open_command.register(app)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_the_link_is_printed() -> None:
    link = urlsplit(
        run("--print", "--tenant", ID, "--organization", ID, "--features", "a,b", "--path", "/backend/x")
    )
    assert link.netloc + link.path == "127.0.0.1:8080/signin/local"
    query = parse_qs(link.query)
    assert query["next"] == ["/backend/x"]
    identity = read_ticket(KEY, query["ticket"][0]).identity
    assert (identity["tenantId"], identity["features"], identity["name"]) == (ID, ["a", "b"], "Local user")


def test_the_only_organization_is_the_default() -> None:
    ticket = parse_qs(urlsplit(run("--print")).query)["ticket"][0]
    assert read_ticket(KEY, ticket).identity["organizationId"] == OTHER


@pytest.mark.parametrize("works", [True, False])
def test_without_a_browser_the_link_is_printed(monkeypatch: pytest.MonkeyPatch, works: bool) -> None:
    opened: list[str] = []

    def open_link(link: str) -> bool:
        opened.append(link)
        return works

    monkeypatch.setattr(webbrowser, "open", open_link)
    printed = run()
    assert len(opened) == 1
    assert printed == ("" if works else opened[0])


@pytest.mark.parametrize("half", ["--tenant", "--organization"])
def test_half_a_scope_is_refused(half: str) -> None:
    with pytest.raises(Stop, match="both"):
        run("--print", half, ID)


def test_a_malformed_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="UUID"):
        cli.open_command.sign_in_link(tmp_path, "x", ID)
