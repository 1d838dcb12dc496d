"""The auditor: reads topics and tables, writes nothing, and shares no code with the write path."""
