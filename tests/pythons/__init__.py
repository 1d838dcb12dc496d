"""Unit ring on every Python of this machine.

``make pythons`` names the file; other runs do not collect it.
"""
