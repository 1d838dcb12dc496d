"""Become another program that dies with its starter: ``tether.py PARENT SIGNAL UID GID PROGRAM [ARGUMENT…]``.

Run as a script by the supervisor. It changes the user, asks the kernel for SIGNAL when the supervisor ends
(prctl(2) PR_SET_PDEATHSIG, Linux; elsewhere leftovers are found at the next start), then executes PROGRAM in
its own place, so pid and start time stay. It imports nothing of ours: it may run as another user.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change the user, tie this process to its parent, execute the program."""
    parent, signal_number, uid, gid = (int(argument) for argument in sys.argv[1:5])
    program = sys.argv[5:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user: the kernel clears the setting when credentials change.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        sys.exit("the supervisor has ended")
    os.execvp(program[0], program)  # noqa: S606


main()
