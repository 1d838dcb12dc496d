"""The shell blocks of a page that are marked to be run, as one script."""

from __future__ import annotations

import re


def script_of(page: str, *, at_least: int) -> str:
    """The marked blocks in order; each must end with its exit status (0 unless the mark says another).

    :param at_least: so many blocks there must be, or the marks are not found any more.
    """
    lines = ["set -u"]
    blocks = re.findall(r"<!-- run(?:: exit (\d+))? -->\n```sh\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= at_least
    for number, (status, block) in enumerate(blocks, 1):
        # Only a block's last command decides; the functions and variables of a block stay for the next.
        lines += [f"echo; echo '=== block {number}'", block, f'[ "$?" = "{status or 0}" ] || exit {number}']
    return "\n".join(lines)
