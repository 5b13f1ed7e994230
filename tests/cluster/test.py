"""Proves that a cluster loses no request while its servers are replaced, and no acknowledged write when a server or PostgreSQL fails
(`make cluster-test`). Prints one line per check."""

import collections
import http.client
import json
import signal
import sys
import threading
import time
import urllib.parse
import uuid

from cluster import SERVERS, Cluster, wait_until

CLIENTS = 6
PASSWORD = "harbour-lantern-42"
failures = 0


def check(title: str, passed: bool, detail: object) -> None:
    global failures
    failures += not passed
    print(f"{'ok' if passed else 'FAILED':<8}{title}: {detail}", flush=True)


class Client:
    def __init__(self, url: str) -> None:
        self.host = urllib.parse.urlsplit(url).netloc
        self.connection = http.client.HTTPConnection(self.host, timeout=30)
        self.token = ""

    def send(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, dict, dict]:
        """Returns status, headers and body. The status is 0 if the connection failed."""
        headers = {"Content-Type": "application/json"} if body else {}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        try:
            self.connection.request(method, path, json.dumps(body) if body else None, headers)
            response = self.connection.getresponse()
            text = response.read()
            is_json = response.headers.get("Content-Type", "").split(";")[0].endswith("json")
            return response.status, dict(response.headers), json.loads(text) if is_json else {}
        except (OSError, http.client.HTTPException, ValueError):
            self.connection.close()
            return 0, {}, {}


class Load:
    """Clients that read, write and log in until they are stopped."""

    def __init__(self, url: str) -> None:
        self.url, self.running, self.lock = url, True, threading.Lock()
        self.results: list[tuple[str, int, dict]] = []
        # Keys of writes, by whether they were acknowledged.
        self.acknowledged: set[str] = set()
        self.unresolved: set[str] = set()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CLIENTS)]

    def run(self, number: int) -> None:
        client = Client(self.url)
        login = {"email": f"client-{number}@example.com", "password": PASSWORD}
        client.token = client.send("POST", "/v1/auth/register", login | {"name": "Client"})[2]["access_token"]
        bucketlist = client.send("POST", "/v2/bucketlists", {"name": "List"})[2]["id"]
        turn = 0
        while self.running:
            turn += 1
            if turn % 20 == 0:
                self.record("login", client.send("POST", "/v1/auth/login", login))
            elif turn % 2:
                self.record("read", client.send("GET", f"/v2/bucketlists/{bucketlist}"))
            else:
                self.create(client, f"/v2/bucketlists/{bucketlist}/items")

    def create(self, client: Client, path: str) -> None:
        """Repeats a write that failed, with the same idempotency key, until it is acknowledged."""
        key = str(uuid.uuid4())
        with self.lock:
            self.unresolved.add(key)
        while True:
            response = client.send("POST", path, {"name": key}, key)
            self.record("write", response)
            if response[0] == 201:
                with self.lock:
                    self.unresolved.discard(key)
                    self.acknowledged.add(key)
                return
            if not self.running:
                return
            time.sleep(0.2)

    def record(self, kind: str, response: tuple[int, dict, dict]) -> None:
        with self.lock:
            self.results.append((kind, response[0], response[1]))

    def take(self) -> list[tuple[str, int, dict]]:
        with self.lock:
            results, self.results = self.results, []
        return results


def failed(results: list) -> list[tuple[str, int]]:
    return [(kind, code) for kind, code, _ in results if not 200 <= code < 300]


def summary(results: list) -> str:
    codes = collections.Counter(code for _, code, _ in results)
    return ", ".join(f"{count} × {code or 'connection failed'}" for code, count in sorted(codes.items()))


class Revocations(threading.Thread):
    """Logs sessions in and out on one server after another. After each logout, all servers must reject the token."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.servers = [Client(f"http://127.0.0.1:{port}") for port in cluster.ports]
        self.running, self.logouts, self.accepted, self.slowest = True, 0, 0, 0.0
        self.errors: list[tuple[str, int]] = []

    def run(self) -> None:
        login = {"email": "revocations@example.com", "password": PASSWORD}
        self.servers[0].send("POST", "/v1/auth/register", login | {"name": "Revocations"})
        while self.running:
            for server in self.servers:
                server.token = ""
            # Any server can log a session in; another one ends it.
            opening, closing = self.servers[self.logouts % SERVERS], self.servers[(self.logouts + 1) % SERVERS]
            code, _, body = opening.send("POST", "/v1/auth/login", login)
            if code != 200:
                self.errors.append(("login", code))
                continue
            for server in self.servers:
                server.token = body["access_token"]
                for _ in range(2):
                    code = server.send("GET", "/v2/bucketlists")[0]
                    if code != 200:
                        self.errors.append(("read", code))
            started = time.monotonic()
            code = closing.send("POST", "/v1/auth/logout")[0]
            self.slowest = max(self.slowest, time.monotonic() - started)
            if code != 204:
                self.errors.append(("logout", code))
                continue
            self.logouts += 1
            for server in self.servers:
                code = server.send("GET", "/v2/bucketlists")[0]
                self.accepted += code == 200
                if code not in (200, 401):
                    self.errors.append(("revoked", code))


def test_redis(cluster: Cluster, load: Load) -> None:
    servers = [Client(f"http://127.0.0.1:{port}") for port in cluster.ports]
    limited = {"email": "limited@example.com", "password": PASSWORD, "name": "Limited"}
    token = servers[0].send("POST", "/v1/auth/register", limited)[2]["access_token"]
    codes = collections.Counter()
    for number in range(90):
        server = servers[number % SERVERS]
        server.token = token
        codes[server.send("POST", "/v2/exports", {"format": "json"})[0]] += 1
    check("3 servers allow N requests, not 3 N", 30 <= codes[202] <= 31 and codes[429] == 90 - codes[202], dict(codes))

    load.take()
    revocations = Revocations(cluster)
    revocations.start()
    time.sleep(3)
    before = revocations.logouts
    cluster.stop_redis()
    time.sleep(10)
    during = revocations.logouts - before
    cluster.start_redis()
    time.sleep(3)
    revocations.running = False
    revocations.join()
    results = load.take()
    check("Redis stopped for 10 s and restarted empty fails no request", not failed(results) and not revocations.errors, summary(results))
    detail = f"{revocations.logouts} logouts, {during} of them without Redis, {revocations.accepted} accepted, slowest {revocations.slowest:.2f} s"
    check("no revoked token is accepted", not revocations.accepted and during > 10 and revocations.logouts > during, detail)
    wait_until(lambda: servers[0].send("GET", "/health/ready")[2]["status"] == "pass", "ready with Redis")


def main() -> None:
    with Cluster() as cluster:
        load = Load(cluster.url)
        for thread in load.threads:
            thread.start()
        time.sleep(3)
        results = load.take()
        check("steady load", not failed(results) and len(results) > 20, summary(results))

        for number in range(SERVERS):
            cluster.stop_server(number, signal.SIGTERM)
            cluster.start_server(number)
            cluster.wait_until_ready(number)
            # Until HAProxy has noticed it as well: two checks.
            time.sleep(3)
        results = load.take()
        check("rolling restart fails no request", not failed(results), summary(results))

        cluster.stop_server(1, signal.SIGKILL)
        time.sleep(3)
        results = load.take()
        check("a killed server fails at most its requests in flight", len(failed(results)) <= CLIENTS, summary(results))
        cluster.start_server(1)
        cluster.wait_until_ready(1)
        load.take()

        test_redis(cluster, load)

        cluster.stop_primary()
        time.sleep(2)
        cluster.promote_standby()
        promoted = time.monotonic()
        client = Client(cluster.url)
        wait_until(lambda: client.send("GET", "/health/ready")[0] == 200, "ready after the failover", 30)
        recovery = time.monotonic() - promoted
        time.sleep(3)
        results = load.take()
        unavailable = [headers for _, code, headers in results if code == 503]
        others = [code for _, code in failed(results) if code != 503]
        check("a failover of PostgreSQL causes only 503", bool(unavailable) and not others, summary(results))
        missing = [headers for headers in unavailable if "Retry-After" not in {name.title() for name in headers}]
        check("each 503 has Retry-After", not missing, f"{len(missing)} of {len(unavailable)} without")
        check("servers recover without a restart", recovery < 10, f"{recovery:.1f} s after the promotion")
        time.sleep(2)
        results = load.take()
        check("no request fails after the failover", not failed(results) and len(results) > 20, summary(results))

        load.running = False
        for thread in load.threads:
            thread.join(60)
        if failures:
            for line in cluster.errors():
                print(f"        | {line}")
        names = collections.Counter(cluster.query("SELECT name FROM items", 5433).split())
        lost = [key for key in load.acknowledged if not names[key]]
        repeated = [name for name, count in names.items() if count > 1]
        check("no acknowledged write is lost", not lost, f"{len(load.acknowledged)} acknowledged, {len(lost)} lost")
        check("no write is repeated", not repeated, f"{len(names)} items, {len(repeated)} repeated")
    print(f"\n{'FAILED' if failures else 'all checks passed'}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
