"""Execute a program that dies with its parent: ``parent_death_guard.py PARENT SIGNAL UID GID PROGRAM …``.

The supervisor runs this script. It changes the user, requests SIGNAL for when the supervisor ends (prctl(2)
PR_SET_PDEATHSIG on Linux; elsewhere orphans are ended at the next start), then replaces itself with PROGRAM,
which keeps pid and start id. It imports nothing from this project, because it may run as another user.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change the user, set the parent-death signal, execute the program."""
    parent, signal_number, uid, gid = (int(argument) for argument in sys.argv[1:5])
    program = sys.argv[5:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # Hazard: only after changing the user, because the kernel clears the setting when credentials change.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        sys.exit("the supervisor has ended")
    os.execvp(program[0], program)  # noqa: S606


main()
