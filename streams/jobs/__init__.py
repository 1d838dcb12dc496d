"""The jobs role: long work in batches that can be paused and resumed (spec "Heavy Operation Threshold")."""
