"""Stream processing: the applier, the relay and the timers, with what they share."""
