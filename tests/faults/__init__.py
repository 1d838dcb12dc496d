"""The fifth ring: what the laws are worth when everything around them breaks."""
