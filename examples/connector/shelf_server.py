"""Shelf: a minimal note service, so that its connector is minimal too.

``python -m examples.connector.shelf_server 8900`` serves it on this machine; the token is ``shelf-token``.
A note is ``{"id", "text", "state", "day", "ref", "hidden", "revision"}``. Every change assigns the next
revision of the whole shelf. ``state`` is open, done or dropped; ``day`` is a date or null.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "shelf-token"  # noqa: S105 - an example


class Shelf(ThreadingHTTPServer):
    """HTTP server that holds the notes in memory."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), NoteHandler)
        self.lock = threading.Lock()
        self.notes: dict[str, dict[str, Any]] = {}
        self.gone: dict[str, int] = {}
        self.revision = 0
        self.token = TOKEN

    def put(self, identity: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Create or change a note."""
        self.revision += 1
        empty = {"text": "", "state": "open", "day": None, "ref": None, "hidden": False}
        note = {**empty, **self.notes.get(identity, {}), **fields, "id": identity, "revision": self.revision}
        self.notes[identity] = note
        return note

    def remove(self, identity: str) -> None:
        """Delete a note permanently."""
        self.revision += 1
        del self.notes[identity]
        self.gone[identity] = self.revision

    def since(self, revision: int) -> dict[str, Any]:
        """Notes changed and deleted after a revision."""
        return {
            "revision": self.revision,
            "notes": [note for note in self.notes.values() if note["revision"] > revision],
            "gone": [identity for identity, at in self.gone.items() if at > revision],
        }


class NoteHandler(BaseHTTPRequestHandler):
    """Handle GET, POST, PUT and DELETE on ``/notes`` and ``/notes/{id}``."""

    server: Shelf
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Read one note, or all that changed."""
        self._answer()

    def do_POST(self) -> None:
        """Create a note."""
        self._answer()

    def do_PUT(self) -> None:
        """Change a note; ``If-Match`` is the revision that it must still have."""
        self._answer()

    def do_DELETE(self) -> None:
        """Delete a note permanently."""
        self._answer()

    def log_message(self, *args: object) -> None:
        """Log nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.server.lock:
            status, content = self._handle(json.loads(body or b"{}"))
        answer = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _handle(self, fields: dict[str, Any]) -> tuple[int, Any]:
        shelf, parts = self.server, urlsplit(self.path)
        identity = parts.path.removeprefix("/notes").strip("/")
        if self.headers.get("authorization") != f"Bearer {shelf.token}":
            return 401, {"error": "invalid token"}
        if self.command == "POST":
            return 201, shelf.put(f"note-{shelf.revision + 1}", fields)
        if not identity:
            return 200, shelf.since(int(parse_qs(parts.query).get("since", ["0"])[0]))
        if identity not in shelf.notes:
            return 404, {"error": "no such note"}
        if self.command == "GET":
            return 200, shelf.notes[identity]
        if self.command == "DELETE":
            shelf.remove(identity)
            return 200, {}
        wanted = self.headers.get("if-match")
        if wanted is not None and wanted != str(shelf.notes[identity]["revision"]):
            return 412, {"error": "the note has another revision"}
        return 200, shelf.put(identity, fields)


def main() -> None:
    """Serve until Ctrl-C."""
    with Shelf(int(sys.argv[1]) if len(sys.argv) > 1 else 8900) as shelf:
        print(f"http://127.0.0.1:{shelf.server_address[1]}")
        shelf.serve_forever()


if __name__ == "__main__":
    main()
