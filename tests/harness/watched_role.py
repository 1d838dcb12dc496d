"""``python -m tests.harness.watched_role run applier``: the CLI; SIGUSR1 dumps the stacks of all threads."""

from __future__ import annotations

import faulthandler
import signal
import sys

from cli.main import main

if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    sys.argv[0] = "interactions"
    main()
