"""What an arm is given."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from bench.samples import Sample, Samples
from bench.sizes import Sizes
from runtime.settings import Settings


@dataclass(slots=True)
class Bench:
    """One run.

    :param servers: settings of the run's servers, on no particular database.
    :param samples: what was measured so far.
    :param kept: things that live longer than one sample (a warm peer, a large database); ``closing``
        ends them.
    """

    servers: Settings
    sizes: Sizes
    samples: Samples
    progress: Callable[[str], None]
    closing: ExitStack
    kept: dict[str, Any] = field(default_factory=dict)


Arm = Callable[[Bench], Sample]
