"""iCalendar (RFC 5545) read leniently and written line by line."""
