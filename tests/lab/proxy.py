"""The HTTP proxy that serves the frozen archive under Debian's public names (runs alone)."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

# (host, first folder of the path) -> folder of the tree
ARCHIVES = {
    ("deb.debian.org", "debian"): "debian",
    ("deb.debian.org", "debian-security"): "debian-security",
    ("security.debian.org", "debian-security"): "debian-security",
}
UPSTREAM = {
    "debian": "http://deb.debian.org/debian",
    "debian-security": "http://security.debian.org/debian-security",
}
IDENTITY = "/driftscan-lab"


def tell(text: str) -> None:
    """One line for the log."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Archive(ThreadingHTTPServer):
    """A server over one tree; `recording`: a missing file is fetched and kept."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, tree: Path, recording: bool = False) -> None:
        self.tree = tree
        self.recording = recording
        self.locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        super().__init__(("127.0.0.1", port), Handler)

    def find(self, url: str) -> Path | None:
        """The file that answers a request, or None."""
        parts = urlsplit(url)
        words = [word for word in unquote(parts.path).split("/") if word]
        archive = ARCHIVES.get((parts.hostname or "", words[0] if words else ""))
        if not archive or any(word in (".", "..") for word in words):
            return None
        path = self.tree.joinpath(archive, *words[1:])
        if not path.is_file() and self.recording and len(words) > 1:
            with self.locks[str(path)]:
                record(path, f"{UPSTREAM[archive]}/{'/'.join(words[1:])}")
        return path if path.is_file() else None


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD, from the tree alone."""

    protocol_version = "HTTP/1.1"
    server: Archive

    def do_HEAD(self) -> None:
        """Headers only."""
        self.answer(body=False)

    def do_GET(self) -> None:
        """Headers and file."""
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        """One request."""
        if self.path == IDENTITY:
            self.send_text(200, f"{self.server.tree}\n")
            return
        path = self.server.find(self.path)
        if path is None:
            self.send_text(404, "not in the lab's frozen archive\n")
        elif self.unchanged(path):
            self.send_response(304)
            self.end_headers()
        else:
            self.send_file(path, body)

    def unchanged(self, path: Path) -> bool:
        """True if the client's copy is as new as ours."""
        since = self.headers.get("If-Modified-Since")
        try:
            return since is not None and parsedate_to_datetime(since).timestamp() >= int(
                path.stat().st_mtime
            )
        except (TypeError, ValueError):
            return False

    def send_text(self, status: int, text: str) -> None:
        """A short answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(text.encode())

    def send_file(self, path: Path, body: bool) -> None:
        """A whole file."""
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            self.send_response(200)
            self.send_header("Content-Length", str(stat.st_size))
            self.send_header("Last-Modified", formatdate(stat.st_mtime, usegmt=True))
            self.end_headers()
            if body:
                shutil.copyfileobj(file, self.wfile, 1 << 18)

    def log_message(self, format: str, *args: object) -> None:
        """Keep a line for each request that could not be answered, nothing else."""
        if len(args) > 1 and str(args[1]) >= "400":
            tell(format % args)


def record(path: Path, url: str) -> None:
    """Fetch one file of the real archive into the tree, whole or not at all, with its own time."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
                shutil.copyfileobj(answer, part)
                modified = answer.headers.get("Last-Modified")
        except (OSError, urllib.error.URLError) as error:
            Path(part.name).unlink()
            tell(f"{url}: {error}")
            return
    if modified:
        moment = parsedate_to_datetime(modified).timestamp()
        os.utime(part.name, (moment, moment))
    Path(part.name).chmod(0o644)
    Path(part.name).replace(path)


if __name__ == "__main__":
    Archive(int(sys.argv[2]), Path(sys.argv[1])).serve_forever()
