"""Random histories of signals and drafts, with crashes of the drafts role."""
