"""The contract: all messages, topics and errors that other systems see. No input or output."""
