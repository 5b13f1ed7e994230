"""Servers behind HAProxy, nginx and Apache. Usage: test.py SCREENSHOT_DIR, with BUCKETLIST set to the binary. Prints one line per check, and exits with 1
after the first that failed."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
BASE_PATH = "/team/api"
# The demo accounts of the development environment.
USER = {"email": "demo@example.com", "password": "bucketlist-demo"}
ADMIN = {"email": "admin@example.com", "password": "bucketlist-admin"}
# Addresses of this machine: the proxy connects from the first, clients from the second.
PROXY, CLIENT = "127.0.0.1", "127.0.0.77"

processes: list[subprocess.Popen] = []
folder = Path(tempfile.mkdtemp(prefix="bucketlist-proxy."))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, title: str, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{title}: not within {seconds} seconds")
        time.sleep(0.05)
    return found


def spawn(name: str, command: list[str], env: dict[str, str] | None = None) -> None:
    with open(folder / f"{name}.log", "ab") as log:
        processes.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd=folder))


def serve(name: str, port: int, **settings: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "DATA_DIR": str(folder / name),
        "RATE_LIMIT": "off",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "info",
        "TRUSTED_PROXIES": PROXY,
    }
    spawn(name, [os.environ["BUCKETLIST"], "serve"], environment | settings)


TRUST_ANY = ssl.create_default_context()
TRUST_ANY.check_hostname, TRUST_ANY.verify_mode = False, ssl.CERT_NONE


class Connection(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Connects from the address of the client."""

    def __init__(self) -> None:
        urllib.request.HTTPSHandler.__init__(self, context=TRUST_ANY)

    def do_open(self, http_class, req, **arguments):
        return super().do_open(lambda *args, **kwargs: http_class(*args, source_address=(CLIENT, 0), **kwargs), req, **arguments)


class KeepRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(Connection(), KeepRedirects())


def send(url: str, method: str = "GET", body: dict | None = None, token: str = "", **headers: str):
    """Returns status, headers and body."""
    data = None if body is None else json.dumps(body).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        headers.setdefault("Content-Type", "application/json")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with opener.open(request, timeout=20) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def is_ready(url: str) -> bool:
    try:
        return send(f"{url}/health/ready")[0] == 200
    except OSError:
        return False


def log_in(url: str, account: dict, **headers: str) -> str:
    status, _, body = send(f"{url}/v2/auth/login", "POST", account, **headers)
    assert status == 200, body
    return json.loads(body)["access_token"]


def address_of_login(url: str, **headers: str) -> str:
    """Logs in, and returns the address of the login in the audit trail."""
    token = log_in(url, ADMIN, **headers)
    status, _, body = send(f"{url}/v2/admin/audit?action=login.succeeded&per_page=1", token=token)
    assert status == 200, body
    return json.loads(body)["data"][0]["address"]


def check(title: str, condition: bool, detail: object = "") -> None:
    if not condition:
        raise AssertionError(f"{title}: {detail}")
    print(f"ok  {title}", flush=True)


def log_lines(name: str, text: str) -> list[str]:
    return [line for line in (folder / f"{name}.log").read_text(errors="replace").splitlines() if text in line]


def raw(port: int, bytes_: bytes, source: str) -> bytes:
    """Sends bytes from an address, and returns everything that the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), 20, source_address=(source, 0)) as connection:
        connection.sendall(bytes_)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            pass
        return received


def certificate() -> tuple[str, str]:
    key, file = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(file)], check=True, capture_output=True)
    return str(file), str(key)


def start() -> dict[str, int]:
    names = ["whole", "stripped", "plain", "tls", "whole_proxy", "stripped_proxy", "v1", "v2", "v2_tls", "compressing"]
    names += [f"{proxy}_{name}" for proxy in ("nginx", "apache") for name in ("whole", "stripped")]
    ports = {name: free_port() for name in names}
    file, key = certificate()
    for name in ("whole", "stripped"):
        serve(name, ports[name], PUBLIC_URL=f"http://127.0.0.1:{ports[f'{name}_proxy']}{BASE_PATH}")
    serve("plain", ports["plain"], PROXY_PROTOCOL="on", HEADER_TIMEOUT="1s")
    serve("tls", ports["tls"], PROXY_PROTOCOL="on", TLS_CERT=file, TLS_KEY=key, PUBLIC_URL="https://localhost")
    for name in ("whole", "stripped"):
        wait_until(lambda: is_ready(f"http://127.0.0.1:{ports[name]}"), f"server {name} is ready")
    (folder / "haproxy.cfg").write_text(f"""
global
    log stdout format raw local0
    stats socket {folder}/haproxy.sock level admin
defaults
    log global
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend whole
    mode http
    bind 127.0.0.1:{ports["whole_proxy"]}
    http-request return status 404 unless {{ path {BASE_PATH} }} or {{ path_beg {BASE_PATH}/ }}
    http-request set-header X-Forwarded-For %[src]
    default_backend whole
backend whole
    mode http
    server whole 127.0.0.1:{ports["whole"]}

frontend stripped
    mode http
    bind 127.0.0.1:{ports["stripped_proxy"]}
    http-request return status 404 unless {{ path {BASE_PATH} }} or {{ path_beg {BASE_PATH}/ }}
    http-request set-header X-Forwarded-For %[src]
    http-request replace-path {BASE_PATH}/?(.*) /\\1
    default_backend stripped
backend stripped
    mode http
    server stripped 127.0.0.1:{ports["stripped"]}

frontend compressing
    mode http
    bind 127.0.0.1:{ports["compressing"]}
    http-request set-header X-Forwarded-For %[src]
    filter compression
    compression algo gzip
    compression type application/json
    compression offload
    default_backend stripped

listen v1
    mode tcp
    bind 127.0.0.1:{ports["v1"]}
    server plain 127.0.0.1:{ports["plain"]} send-proxy
listen v2
    mode tcp
    bind 127.0.0.1:{ports["v2"]}
    option httpchk GET /health/ready
    server plain 127.0.0.1:{ports["plain"]} send-proxy-v2 check inter 200ms check-send-proxy
listen v2_tls
    mode tcp
    bind 127.0.0.1:{ports["v2_tls"]}
    server tls 127.0.0.1:{ports["tls"]} send-proxy-v2-ssl-cn proxy-v2-options ssl,unique-id,crc32c check inter 200ms check-send-proxy
""")
    spawn("haproxy", [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")])
    return ports


def haproxy_status(backend: str, server: str) -> str:
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(folder / "haproxy.sock"))
        control.sendall(b"show stat\n")
        text = b"".join(iter(lambda: control.recv(65536), b"")).decode()
    header, *lines = text.lstrip("# ").splitlines()
    rows = [dict(zip(header.split(","), line.split(","))) for line in lines if line]
    return next(row["status"] for row in rows if row["pxname"] == backend and row["svname"] == server)


def test_base_path(ports: dict[str, int], shots: str) -> None:
    for name in ("whole", "stripped"):
        url = f"http://127.0.0.1:{ports[f'{name}_proxy']}{BASE_PATH}"
        wait_until(lambda: is_ready(url), f"HAProxy forwards to {name}")
        token = log_in(url, USER)
        status, headers, _ = send(f"{url}/v2/bucketlists", "POST", {"name": "Behind a proxy"}, token)
        location = headers["Location"]
        check(f"{name}: a created resource has a location below the base path", status == 201 and location.startswith(f"{BASE_PATH}/v2/bucketlists/"), location)
        host = url.removesuffix(BASE_PATH)
        check(f"{name}: the location can be requested", send(host + location, token=token)[0] == 200)
        status, headers, _ = send(f"{url}/docs/")
        check(f"{name}: a redirect stays below the base path", (status, headers["Location"]) == (308, f"{BASE_PATH}/docs"), headers["Location"])
        document = json.loads(send(f"{url}/openapi/v2.json")[2])
        check(f"{name}: the document names the public URL", document["servers"][0]["url"] == f"{url}/v2", document["servers"])
        check(f"{name}: the address of the client is forwarded", address_of_login(url) == CLIENT)
        command = ["node", str(ROOT / "tests/browser/base_path.mjs"), url, shots, f"{name}-"]
        browser = subprocess.run(command, env=os.environ | {"ADMIN_EMAIL": ADMIN["email"], "ADMIN_PASSWORD": ADMIN["password"]})
        check(f"{name}: the pages work in Chromium", browser.returncode == 0)


def test_proxy_protocol(ports: dict[str, int]) -> None:
    urls = {"v1": f"http://127.0.0.1:{ports['v1']}", "v2": f"http://127.0.0.1:{ports['v2']}", "v2_tls": f"https://localhost:{ports['v2_tls']}"}
    for name, url in urls.items():
        wait_until(lambda: is_ready(url), f"HAProxy forwards with {name}")
        check(f"{name}: the address of the client is that of the PROXY protocol header", address_of_login(url) == CLIENT)
    # X-Forwarded-For is that of the client itself, which is not a trusted proxy.
    check("a client cannot choose its address", address_of_login(urls["v2"], X_Forwarded_For="192.0.2.99") == CLIENT)
    for backend, server in (("v2", "plain"), ("v2_tls", "tls")):
        wait_until(lambda: haproxy_status(backend, server) == "UP", f"{backend}: health checks (LOCAL) succeed")
        print(f"ok  {backend}: health checks of HAProxy (LOCAL) succeed", flush=True)
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    header = b"PROXY TCP4 192.0.2.99 127.0.0.1 40000 80\r\n"
    check("a trusted proxy without a header is disconnected", raw(ports["plain"], request, PROXY) == b"")
    wait_until(lambda: log_lines("plain", "header is missing"), "the log says so")
    check("a malformed header is disconnected", raw(ports["plain"], b"PROXY TCP4 nonsense\r\n" + request, PROXY) == b"")
    check("a header that does not arrive is disconnected", raw(ports["plain"], b"PROXY TCP4 192.", PROXY) == b"")
    wait_until(lambda: log_lines("plain", "header did not arrive"), "the log says so")
    check("a client without a proxy is served", raw(ports["plain"], request, CLIENT).startswith(b"HTTP/1.1 200 "))
    spoofed = raw(ports["plain"], header + request, CLIENT)
    check("a header of a client is not accepted", spoofed.startswith(b"HTTP/1.1 400 "), spoofed)
    environment = {"PATH": os.environ["PATH"], "PORT": str(ports["plain"]), "PROXY_PROTOCOL": "on", "TRUSTED_PROXIES": PROXY}
    health = subprocess.run([os.environ["BUCKETLIST"], "health"], env=environment, cwd=folder, capture_output=True, text=True)
    check("`bucketlist health` works from a trusted address", health.returncode == 0, health.stderr)


def test_compression(ports: dict[str, int]) -> None:
    url = f"http://127.0.0.1:{ports['compressing']}{BASE_PATH}"
    token = log_in(url, USER)
    body = {"name": "Compressed by a proxy", "description": "North by north-west. " * 40}
    status, headers, _ = send(f"{url}/v2/bucketlists", "POST", body, token)
    path = f"http://127.0.0.1:{ports['compressing']}{headers['Location']}"
    status, headers, _ = send(path, token=token, Accept_Encoding="gzip")
    weak = headers["ETag"]
    check("HAProxy weakens the ETag of a response that it compresses", headers["Content-Encoding"] == "gzip" and weak.startswith('W/"'), headers)
    patch = {"Content_Type": "application/merge-patch+json", "If_Match": weak}
    status, _, text = send(path, "PATCH", {"name": "Changed"}, token, **patch)
    check("If-Match accepts the weakened ETag", status == 200, text)
    status, _, text = send(path, "PATCH", {"name": "Changed again"}, token, **patch)
    check("and rejects it when the state has changed", status == 412, text)


def start_nginx(ports: dict[str, int]) -> None:
    """The locations of docs/deployment.md, with reused connections to the server, and with compression."""
    temp = " ".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    servers = "".join(f"""
    upstream {name} {{ server 127.0.0.1:{ports[name]}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{ports[f"nginx_{name}"]};
        location {BASE_PATH}/ {{
            proxy_pass http://{name}{slash};
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
        location = {BASE_PATH} {{ return 308 {BASE_PATH}/; }}
    }}""" for name, slash in (("whole", ""), ("stripped", "/")))
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid nginx.pid;
events {{}}
http {{
    access_log off; {temp}
    gzip on; gzip_proxied any; gzip_types application/json;{servers}
}}
""")
    spawn("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"])


def start_apache(ports: dict[str, int]) -> None:
    """Without a header setting: Apache appends the address of the client to X-Forwarded-For by itself."""
    modules = ("mpm_event", "authz_core", "filter", "deflate", "proxy", "proxy_http")
    servers = "".join(f"""
Listen 127.0.0.1:{ports[f"apache_{name}"]}
<VirtualHost 127.0.0.1:{ports[f"apache_{name}"]}>
    AllowEncodedSlashes NoDecode
    ProxyPass {BASE_PATH} http://127.0.0.1:{ports[name]}{path} nocanon
    AddOutputFilterByType DEFLATE application/json
</VirtualHost>""" for name, path in (("whole", BASE_PATH), ("stripped", "")))
    owner = "User nobody\nGroup nogroup" if os.getuid() == 0 else ""
    loaded = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
    (folder / "apache.conf").write_text(f"""
ServerRoot {folder}
ServerName localhost
PidFile apache.pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
{owner}
{loaded}
{servers}
""")
    spawn("apache", [shutil.which("apache2") or "/usr/sbin/apache2", "-f", str(folder / "apache.conf"), "-X"])


def connections_to(port: int) -> int:
    """Counts the connections to a port, also those that were closed recently."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") for row in rows)


def test_other_proxy(ports: dict[str, int], proxy: str, path_name: str) -> None:
    name, host = f"{proxy}, {path_name}", f"http://127.0.0.1:{ports[f'{proxy}_{path_name}']}"
    url = host + BASE_PATH
    wait_until(lambda: is_ready(url), f"{name} forwards")
    check(f"{name}: the address of the client is forwarded", address_of_login(url) == CLIENT)
    check(f"{name}: a client cannot choose its address", address_of_login(url, X_Forwarded_For="192.0.2.99") == CLIENT)
    status, headers, _ = send(f"{url}/docs/")
    check(f"{name}: a redirect stays below the base path", (status, headers["Location"]) == (308, f"{BASE_PATH}/docs"), headers["Location"])
    token = log_in(url, USER)
    body = {"name": f"Grüße & more, {name}"}
    status, headers, text = send(f"{url}/v2/bucketlists", "POST", body, token)
    check(f"{name}: a list is created", status == 201, text)
    location = host + headers["Location"]
    found = json.loads(send(f"{url}/v2/bucketlists?q={quote(body['name'], safe='')}", token=token)[2])
    check(f"{name}: encoded characters of a query are unchanged", [one["name"] for one in found["data"]] == [body["name"]], found)
    status, _, text = send(f"{url}/v2/bucketlists/%2F..%2F1", token=token)
    check(f"{name}: an encoded slash is not decoded", status in (400, 404, 422), text)
    status, headers, _ = send(location, token=token, Accept_Encoding="gzip")
    etag = headers["ETag"]
    # The server compresses only larger responses.
    check(f"{name}: the proxy compresses the response", headers["Content-Encoding"] == "gzip" and "Accept-Encoding" in headers["Vary"], headers)
    check(f"{name}: 304 for the ETag", send(location, token=token, Accept_Encoding="gzip", If_None_Match=etag)[0] == 304, etag)
    patch = {"Content_Type": "application/merge-patch+json", "If_Match": etag}
    status, _, text = send(location, "PATCH", {"name": f"Changed behind {name}"}, token, **patch)
    check(f"{name}: If-Match accepts an ETag like {etag[:4]}…{etag[-6:]}", status == 200, text)
    check(f"{name}: and rejects it when the state has changed", send(location, "PATCH", {"name": "Again"}, token, **patch)[0] == 412)
    before = connections_to(ports[path_name])
    for _ in range(20):
        assert send(location, token=token)[0] == 200
    opened = connections_to(ports[path_name]) - before
    check(f"{name}: 20 requests reuse connections to the server", opened < 5, opened)


try:
    if len(sys.argv) != 2:
        raise SystemExit("usage: test.py SCREENSHOT_DIR")
    ports = start()
    test_proxy_protocol(ports)
    test_compression(ports)
    start_nginx(ports)
    start_apache(ports)
    for proxy in ("nginx", "apache"):
        for path_name in ("whole", "stripped"):
            test_other_proxy(ports, proxy, path_name)
    test_base_path(ports, sys.argv[1])
except AssertionError as error:
    print(f"FAILED  {error}", file=sys.stderr)
    for log in sorted(folder.glob("*.log")):
        print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-8:], sep="\n", file=sys.stderr)
    sys.exit(1)
finally:
    for process in processes:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)
