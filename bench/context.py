"""Context of a run, passed to each scenario."""

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
    """One benchmark run.

    :param servers: settings of the run's servers, without a specific database.
    :param samples: samples taken so far.
    :param closing: closes ``shared`` at the end of the run.
    :param shared: resources that outlive one sample, such as a large database.
    """

    servers: Settings
    sizes: Sizes
    samples: Samples
    progress: Callable[[str], None]
    closing: ExitStack
    shared: dict[str, Any] = field(default_factory=dict)


Scenario = Callable[[Bench], Sample]
