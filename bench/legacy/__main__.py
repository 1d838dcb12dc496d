"""``python -m bench.legacy --out DIR``: write the files of an old installation."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.legacy.generate import generate


def main() -> None:
    """Write the files and print how long it took."""
    parser = argparse.ArgumentParser(prog="python -m bench.legacy", description=__doc__)
    parser.add_argument("--activities", type=int, default=1_000_000)
    parser.add_argument("--todos", type=int, default=300_000, help="number of todo links")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder; created if it does not exist")
    wanted = parser.parse_args()
    began = time.perf_counter()
    generate(wanted.out, activities=wanted.activities, todos=wanted.todos, seed=wanted.seed)
    print(f"{wanted.out}: written in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
