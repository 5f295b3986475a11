"""A Hugging Face hub on this machine, which misbehaves on demand.

Small files come from the hub itself; `*.safetensors` are redirected to a second server, as the real
hub redirects them to its storage. A fault is a function of (handler, data) that answers in place of
the server; `hub.faults[name]` is a list of them, one for each GET of the file, the first first. The
file list is named "api".
"""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + 34 * "0"


def git_hash(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def storage_tag(data):
    """The storage has an ETag of its own, as the real one has."""
    return f'"storage-{git_hash(data)}"'


def is_large(name):
    return name.endswith(".safetensors")


def checksum(name, data):
    """What the cache calls the content of a file by."""
    return hashlib.sha256(data).hexdigest() if is_large(name) else git_hash(data)


class Handler(BaseHTTPRequestHandler):
    """One request; the server it belongs to has `hub`, and `storage` (whether it is the second)."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, data=b"", **headers):
        self.send_response(status)
        headers.setdefault("Content-Length", len(data))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_data(self, data, **headers):
        """All of it, or the range that was asked for, with If-Range."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not asked or condition not in (None, headers.get("ETag")):
            self.answer(200, data, **headers)
        elif int(asked[1]) >= len(data):
            self.answer(416, Content_Range=f"bytes */{len(data)}")
        else:
            begin = int(asked[1])
            span = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[begin:], Content_Range=span, **headers)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        path = unquote(urlsplit(self.path).path)
        hub.requests.append((self.command, self.server.storage, path, dict(self.headers)))
        if path.startswith("/api/"):
            self.serve_api(hub, path)
        else:
            self.serve_file(hub, path)

    def serve_api(self, hub, path):
        if faults := hub.faults.get("api"):
            return faults.pop(0)(self, b"")
        match = re.fullmatch(r"/api/models/(.+?)/(revision|tree)/(.+)", path)
        if not match or match[1] != hub.name:
            return self.answer(404, X_Error_Code="RepoNotFound")
        if match[3] not in (*hub.revisions, COMMIT):
            return self.answer(404, X_Error_Code="RevisionNotFound")
        return self.answer(200, json.dumps(hub.tree() if match[2] == "tree" else hub.listing()).encode())

    def serve_file(self, hub, path):
        name = path.rsplit("/", 1)[1]
        data = hub.files.get(name)
        if data is None or not path.startswith(f"/{hub.name}/resolve/"):
            return self.answer(404, X_Error_Code="EntryNotFound")
        described = {"X_Repo_Commit": COMMIT}
        if is_large(name) and not self.server.storage:
            described |= {"X_Linked_Size": len(data), "X_Linked_ETag": f'"{checksum(name, data)}"'}
            return self.answer(302, Location=hub.storage_url + self.path, **described)
        faults = hub.faults.get(name)
        if faults and self.command == "GET":
            return faults.pop(0)(self, data)
        tag = storage_tag(data) if self.server.storage else f'"{checksum(name, data)}"'
        return self.send_data(data, ETag=tag, **described)


class FakeHub:
    """Serves `files` (name: bytes) as the model `name`; a context manager."""

    def __init__(self, files, name="org/tiny"):
        self.files = dict(files)
        self.name = name
        self.revisions = ["main"]
        self.extra_siblings = []
        self.with_checksums = True
        self.sizes = {}  # what the listing says where that is not true
        self.faults = {}
        self.requests = []
        self.servers = [self._server(storage=False), self._server(storage=True)]
        self.url, self.storage_url = (
            f"http://{host}:{server.server_address[1]}"
            for host, server in zip(("127.0.0.1", "localhost"), self.servers)
        )

    def _server(self, storage):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.hub, server.storage, server.daemon_threads = self, storage, True
        return server

    def __enter__(self):
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def listing(self):
        siblings = []
        for name, data in self.files.items():
            sibling = {"rfilename": name}
            size = self.sizes.get(name, len(data))
            if self.with_checksums:
                sibling |= {"size": size, "blobId": git_hash(data)}
                if is_large(name):
                    sibling["lfs"] = {"sha256": checksum(name, data), "size": size, "pointerSize": 130}
            siblings.append(sibling)
        siblings += [{"rfilename": name} for name in self.extra_siblings]
        return {"id": self.name, "sha": COMMIT, "siblings": siblings}

    def tree(self):
        """The same in the words of another question, which huggingface_hub asks since its version 2."""
        entries = []
        for name, data in self.files.items():
            entry = {"type": "file", "path": name, "size": len(data), "oid": git_hash(data)}
            if is_large(name):
                entry["lfs"] = {"oid": checksum(name, data), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return entries

    def gets(self, name):
        """The GET requests of a file that sent its content or failed to, as their headers."""
        served_by = is_large(name)
        return [
            headers
            for method, storage, path, headers in self.requests
            if method == "GET" and path.endswith("/" + name) and storage == served_by
        ]


# --- faults


def status(code, **headers):
    """Answers with this status."""
    return lambda handler, _: handler.answer(code, b"<html>sorry</html>", **headers)


def drop_after(count, **headers):
    """Promises what was asked for, sends so many bytes of it, and hangs up."""

    def fault(handler, data):
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        begin = int(asked[1]) if asked else 0
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - begin))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data[begin : begin + count])
        handler.wfile.flush()
        handler.close_connection = True

    return fault


def ignore_range(handler, data):
    """All of the file, whatever was asked for."""
    handler.answer(200, data)


def send(data, **headers):
    """Other bytes than those of the file."""
    return lambda handler, _: handler.answer(200, data, **headers)


def send_unframed(data):
    """Other bytes, without telling how many: the end is where the connection ends."""

    def fault(handler, _):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = True

    return fault


def hang(event, count=0):
    """Sends so many bytes and then nothing until the event."""

    def fault(handler, data):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:count])
        handler.wfile.flush()
        event.wait(60)
        handler.close_connection = True

    return fault
