"""The deprecated routes: old payloads and shapes, translated to commands and views over interactions."""
