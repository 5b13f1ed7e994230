"""A proxy that simulates a future release: it adds an unknown field to every object in JSON responses, and replaces `role` and `code`
by an unknown enum value. Clients must tolerate both, as docs/compatibility.md requires.
"""

import http.client
import http.server
import json
import threading
import urllib.parse

FIELD = "from_a_future_release"
VALUE = "SOMETHING_NEW"


def extend(value):
    """Adds an unknown field to every object and an unknown value to every enum."""
    if isinstance(value, list):
        return [extend(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, each in value.items():
        if name in ("role", "code"):
            changed[name] = VALUE
        elif name == "_links":
            # A map from relations to links.
            changed[name] = {relation: extend(link) for relation, link in each.items()}
        else:
            changed[name] = extend(each)
    changed[FIELD] = {"nested": [True, None]}
    return changed


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)
        drop = ("host", "connection", "accept-encoding", "http2-settings", "upgrade")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in drop}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        if "json" in response.headers.get("Content-Type", "") and content:
            content = json.dumps(extend(json.loads(content))).encode()
        self.send_response(response.status)
        for name, value in response.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def log_message(self, *_):
        pass


def start(base):
    """Starts the proxy on a free port and returns its URL."""
    target = urllib.parse.urlsplit(base)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.host, server.port = target.hostname, target.port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
