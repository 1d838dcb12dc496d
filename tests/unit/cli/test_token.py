"""``interactions token``: granted features and the subject."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import cli.token
from schemas.errors import Stop

ID = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("given", "granted"),
    [
        ([], cli.token.ALL_FEATURES),
        (["--features", "a,b"], "a,b"),
        (["--features", "a", "--features", "b"], "a,b"),
    ],
)
def test_every_named_feature_is_granted(
    monkeypatch: pytest.MonkeyPatch, given: list[str], granted: str
) -> None:
    asked: list[str] = []

    def made(home: Path, tenant: str, organization: str, user: str, features: str, *_: object) -> str:
        asked.append(features)
        return "token"

    monkeypatch.setattr(cli.token, "local_token", made)
    app = typer.Typer()
    cli.token.register(app)
    done = CliRunner().invoke(app, ["--tenant", ID, "--organization", ID, *given])
    assert done.output == "token\n"
    assert asked == [granted]


def test_the_default_token_may_switch_flags() -> None:
    assert "customers.flags.manage" in cli.token.ALL_FEATURES.split(",")


@pytest.mark.parametrize("user", ["", "x" * 101])
def test_a_user_that_no_gateway_takes_is_refused(tmp_path: Path, user: str) -> None:
    with pytest.raises(Stop, match="--user"):
        cli.token.local_token(tmp_path, ID, ID, user)
