"""Generator of a large, dirty installation of the old model, as files for ``legacy import``."""
