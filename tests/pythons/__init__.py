"""Unit ring on every Python of this machine; run by ``make pythons``, not by ``make test``."""
