"""``python -m tests.faults.mutants.run NAME -- run applier``: the CLI, or pytest, with one mutant."""

from __future__ import annotations

import sys

from tests.faults.mutants.catalogue import load


def main() -> None:
    """Apply the patch, then run the command; ``none`` is the control without a patch."""
    name, dash, *rest = sys.argv[1:]
    if dash != "--" or not rest:
        sys.exit("usage: python -m tests.faults.mutants.run NAME -- COMMAND…")
    if name != "none":
        load()[name].patch()
    if rest[0] == "pytest":
        import pytest

        # A patch may import a library with a pytest plugin; that is not a test failure.
        ignored = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        sys.exit(pytest.main([*ignored, *rest[1:]]))
    from cli.main import main as cli

    sys.argv = ["interactions", *rest]
    cli()


if __name__ == "__main__":
    main()
