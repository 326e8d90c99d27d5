"""A local server that speaks hosted Mem0's protocol as its SDK uses it, on a thread of its own."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "m0-key-of-these-tests"


class Mem0Server:
    """Memories by id, and every request that came.

    `failing` makes it answer 503, `failing_methods` only to some methods; `before_add` runs before a memory
    is kept.
    """

    def __init__(self) -> None:
        self.memories: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.failing = False
        self.failing_methods: set[str] = set()
        self.before_add: Callable[[], None] = lambda: None
        self.url = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Return status and body of one request."""
        self.requests.append((method, path))
        if self.failing or method in self.failing_methods:
            return 503, {"detail": "try later"}
        parts = path.strip("/").split("/")
        if path == "/v1/ping/":
            return 200, {"status": "ok", "org_id": "o", "project_id": "p", "user_email": "a@b.example"}
        if (method, path) == ("POST", "/v3/memories/add/"):
            self.before_add()
            return 200, {"results": [self._add(body)]}
        if (method, path) == ("POST", "/v3/memories/"):
            return 200, self._page(body, query)
        if parts[:2] == ["v1", "memories"] and len(parts) == 3 and parts[2] in self.memories:
            if method == "PUT":
                changed = {"memory": body.pop("text"), **body}
                self.memories[parts[2]] |= changed
                return 200, self.memories[parts[2]]
            if method == "DELETE":
                del self.memories[parts[2]]
                return 200, {"message": "Memory deleted successfully!"}
        return 404, {"detail": "Memory not found!"}

    def _add(self, body: dict[str, Any]) -> dict[str, Any]:
        made = {"id": str(uuid.uuid4()), "memory": body["messages"][0]["content"], **body}
        self.memories[made["id"]] = made
        return {"id": made["id"], "memory": made["memory"], "event": "ADD"}

    def _page(self, body: dict[str, Any], query: dict[str, list[str]]) -> dict[str, Any]:
        user = body["filters"]["user_id"]
        found = [memory for memory in self.memories.values() if memory.get("user_id") == user]
        page, size = int(query.get("page", ["1"])[0]), int(query.get("page_size", ["100"])[0])
        shown = found[(page - 1) * size : page * size]
        more = f"{self.url}/v3/memories/?page={page + 1}" if page * size < len(found) else None
        return {"count": len(found), "next": more, "previous": None, "results": shown}


@contextmanager
def running_mem0() -> Iterator[Mem0Server]:
    """Serve on a free port of loopback for the block."""
    state = Mem0Server()

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            where = urlsplit(self.path)
            if self.headers.get("authorization") != f"Token {KEY}":
                status, told = 401, {"detail": "Invalid API key"}
            else:
                status, told = state.answer(self.command, where.path, parse_qs(where.query), body)
            raw = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815 - names that http.server calls

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
