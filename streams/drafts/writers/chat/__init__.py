"""Client of a chat-completions service: bounded exchanges, retries, a budget and failures in words."""
