"""Extract the shell blocks of a page that are marked to be run."""

from __future__ import annotations

import re


def script_of(page: str, *, at_least: int) -> str:
    """Join the marked blocks into one script; each must exit with its expected status (default 0).

    :param at_least: minimum number of blocks, to notice a page without marks.
    """
    lines = ["set -u"]
    blocks = re.findall(r"<!-- run(?:: exit (\d+))? -->\n```sh\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= at_least
    for number, (status, block) in enumerate(blocks, 1):
        # Only a block's last command decides; functions and variables are kept for the next block.
        lines += [f"echo; echo '=== block {number}'", block, f'[ "$?" = "{status or 0}" ] || exit {number}']
    return "\n".join(lines)
