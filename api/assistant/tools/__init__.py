"""Descriptions of the tools: names, arguments, requests. No I/O."""
