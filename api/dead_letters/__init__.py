"""Dead letters in the gateway: a bounded index of the topic, and decisions on what it holds."""
