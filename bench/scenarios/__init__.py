"""What is run: each arm takes one sample, in a world of its own; arms take turns (`bench.rounds`)."""
