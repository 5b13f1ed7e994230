"""A server of next year: passes requests on, and adds to every JSON answer what today's document does not know.

Each object gets one more field, and each `role` and `code` a value that no enumeration has. Clients must tolerate both:
docs/compatibility.md says so.
"""

import http.client
import http.server
import json
import threading
import urllib.parse

FIELD = "from_next_year"
VALUE = "SOMETHING_NEW"


def odd(value):
    """The value with the unknown field in every object and an unknown value in every enumeration."""
    if isinstance(value, list):
        return [odd(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, each in value.items():
        if name in ("role", "code"):
            changed[name] = VALUE
        elif name == "_links":
            # A map: its names are free, its values are links.
            changed[name] = {relation: odd(link) for relation, link in each.items()}
        else:
            changed[name] = odd(each)
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
        answer = connection.getresponse()
        content = answer.read()
        if "json" in answer.headers.get("Content-Type", "") and content:
            content = json.dumps(odd(json.loads(content))).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def log_message(self, *_):
        pass


def start(base):
    """Begins to serve on a free port; returns the address."""
    target = urllib.parse.urlsplit(base)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.host, server.port = target.hostname, target.port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
