"""Proves that a cluster loses no request while its servers are replaced, that no client reads data older than its own last write from a
replica, and that no acknowledged write is lost when a server or PostgreSQL fails (`make cluster-test`). Prints one line per check."""

import collections
import http.client
import json
import signal
import sys
import threading
import time
import urllib.parse
import uuid

from cluster import PRIMARY, REPLICA, SERVERS, STANDBY, Cluster, wait_until

CLIENTS = 6
PASSWORD = "harbour-lantern-42"
# Seconds after which a request without PostgreSQL has a response: DATABASE_ACQUIRE_TIMEOUT, or tcp_user_timeout of a connection in use.
MAX_UNAVAILABLE = 7
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
        # Reads that did not contain an acknowledged write of the same client, and the number of reads that were checked.
        self.stale: list[str] = []
        self.checked = 0
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CLIENTS)]

    def run(self, number: int) -> None:
        client = Client(self.url)
        login = {"email": f"client-{number}@example.com", "password": PASSWORD}
        client.token = client.send("POST", "/v1/auth/register", login | {"name": "Client"})[2]["access_token"]
        bucketlist = client.send("POST", "/v2/bucketlists", {"name": "List"})[2]["id"]
        turn, written, last = 0, 0, None
        while self.running:
            turn += 1
            if turn % 20 == 0:
                self.record("login", client.send("POST", "/v1/auth/login", login))
            elif turn % 4 == 0:
                last = self.create(client, f"/v2/bucketlists/{bucketlist}/items") or last
                written += last is not None
            elif turn % 4 == 1 and last:
                response = client.send("GET", f"/v2/bucketlists/{bucketlist}/items/{last['id']}")
                self.record("read", response)
                self.check_read(response, lambda body: body["name"] == last["name"], f"item {last['id']}")
            else:
                response = client.send("GET", f"/v2/bucketlists/{bucketlist}")
                self.record("read", response)
                self.check_read(response, lambda body: body["items_total"] >= written, f"{written} items")

    def check_read(self, response: tuple[int, dict, dict], is_current, expected: str) -> None:
        """Records a read that does not contain what was acknowledged before."""
        code, _, body = response
        if code not in (200, 404):
            return
        with self.lock:
            self.checked += 1
            if code == 404 or not is_current(body):
                self.stale.append(f"{code}, expected {expected}")

    def create(self, client: Client, path: str) -> dict | None:
        """Repeats a write that failed, with the same idempotency key, until it is acknowledged. Returns the item."""
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
                return response[2]
            if not self.running:
                return None
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


def server_urls(cluster: Cluster) -> list[str]:
    return [f"http://127.0.0.1:{port}" for port in cluster.ports]


class Revocations(threading.Thread):
    """Logs sessions in and out on one server after another. After each logout, all servers must reject the token."""

    def __init__(self, urls: list[str]) -> None:
        super().__init__()
        self.servers = [Client(url) for url in urls]
        self.running, self.attempts, self.logouts, self.accepted, self.slowest = True, 0, 0, 0, 0.0
        self.errors: list[tuple[str, int]] = []

    def run(self) -> None:
        login = {"email": "revocations@example.com", "password": PASSWORD}
        self.servers[0].send("POST", "/v1/auth/register", login | {"name": "Revocations"})
        while self.running:
            for server in self.servers:
                server.token = ""
            # Any server can log a session in; another one ends it.
            opening, closing = self.servers[self.attempts % len(self.servers)], self.servers[(self.attempts + 1) % len(self.servers)]
            self.attempts += 1
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
    servers = [Client(url) for url in server_urls(cluster)]
    limited = {"email": "limited@example.com", "password": PASSWORD, "name": "Limited"}
    token = servers[0].send("POST", "/v1/auth/register", limited)[2]["access_token"]
    codes = collections.Counter()
    for number in range(90):
        server = servers[number % SERVERS]
        server.token = token
        codes[server.send("POST", "/v2/exports", {"format": "json"})[0]] += 1
    check("3 servers allow N requests, not 3 N", 30 <= codes[202] <= 31 and codes[429] == 90 - codes[202], dict(codes))

    load.take()
    revocations = Revocations(server_urls(cluster))
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
    check("no revoked token is accepted", not revocations.accepted and during > 3 and revocations.logouts > during, detail)
    wait_until(lambda: servers[0].send("GET", "/health/ready")[2]["status"] == "pass", "ready with Redis")


class Requests(threading.Thread):
    """Reads and writes on one server until it is stopped. A write that failed is repeated with the same idempotency key."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__()
        self.client, self.running = Client(url), True
        self.results: list[tuple[int, dict, float]] = []
        self.acknowledged: list[str] = []
        login = {"email": f"isolated-{number}@example.com", "password": PASSWORD, "name": "Isolated"}
        self.client.token = self.client.send("POST", "/v1/auth/register", login)[2]["access_token"]
        self.path = f"/v2/bucketlists/{self.client.send('POST', '/v2/bucketlists', {'name': 'List'})[2]['id']}"

    def run(self) -> None:
        key = str(uuid.uuid4())
        while self.running:
            self.record("GET", self.path)
            code = self.record("POST", f"{self.path}/items", {"name": key}, key)
            if code == 201:
                self.acknowledged.append(key)
                key = str(uuid.uuid4())
            time.sleep(0.05)

    def record(self, *request) -> int:
        started = time.monotonic()
        code, headers, _ = self.client.send(*request)
        self.results.append((code, headers, time.monotonic() - started))
        return code


def test_partition(cluster: Cluster) -> None:
    """Cuts a server off from Redis, then from PostgreSQL. No packet arrives, and no connection is closed."""
    if not cluster.partition:
        print("skipped a server that is cut off from Redis or PostgreSQL: requires root and network namespaces (`ip netns add`)", flush=True)
        return
    url = cluster.start_isolated_server()
    ready = Client(url)
    requests = [Requests(url, number) for number in range(4)]
    revocations = Revocations([url, server_urls(cluster)[0]])
    for thread in [*requests, revocations]:
        thread.start()

    def take() -> list[tuple[int, dict, float]]:
        taken = []
        for thread in requests:
            taken, thread.results = taken + thread.results, []
        return taken

    def codes(results: list) -> str:
        counted = summary([("", code, headers) for code, headers, _ in results])
        return f"{counted}; slowest {max((seconds for *_, seconds in results), default=0):.1f} s"

    def is_passing() -> bool:
        return ready.send("GET", "/health/ready")[2].get("status") == "pass"

    time.sleep(2)
    take()
    logouts = revocations.logouts
    cluster.partition.cut("redis")
    time.sleep(10)
    results, logouts = take(), revocations.logouts - logouts
    check("a server without Redis fails no request", all(code < 300 for code, *_ in results) and len(results) > 20 and not revocations.errors, codes(results))
    check("no revoked token is accepted without Redis", not revocations.accepted and logouts > 3, f"{logouts} logouts, {revocations.accepted} accepted")
    cluster.partition.heal("redis")
    wait_until(is_passing, "ready with Redis")

    time.sleep(1)
    take()
    cluster.partition.cut("postgres")
    time.sleep(15)
    cluster.partition.heal("postgres")
    healed = time.monotonic()
    wait_until(is_passing, "ready with PostgreSQL")
    recovery = time.monotonic() - healed
    # Requests that were sent before.
    time.sleep(MAX_UNAVAILABLE)
    results = take()
    unavailable = [(headers, seconds) for code, headers, seconds in results if code == 503]
    others = [code for code, *_ in results if code not in (200, 201, 503)]
    has_retry_after = all("Retry-After" in {name.title() for name in headers} for headers, _ in unavailable)
    slowest = max((seconds for _, seconds in unavailable), default=0)
    is_expected = bool(unavailable) and not others and has_retry_after and slowest < MAX_UNAVAILABLE
    check(f"a server without PostgreSQL returns 503 with Retry-After within {MAX_UNAVAILABLE} s", is_expected, codes(results))
    check("it recovers without a restart", recovery < 10, f"{recovery:.1f} s")
    revocations.errors.clear()
    take()
    time.sleep(3)
    results = take()
    check("no request fails after the partition", all(0 < code < 300 for code, *_ in results) and len(results) > 20 and not revocations.errors, codes(results))
    for thread in [*requests, revocations]:
        thread.running = False
    for thread in [*requests, revocations]:
        thread.join(60)
    check("no revoked token is accepted during a partition", not revocations.accepted, f"{revocations.logouts} logouts, {revocations.accepted} accepted")
    names = collections.Counter(cluster.query("SELECT name FROM items", PRIMARY).split())
    acknowledged = [key for thread in requests for key in thread.acknowledged]
    wrong = [key for key in acknowledged if names[key] != 1]
    check("no acknowledged write is lost or repeated", not wrong, f"{len(acknowledged)} acknowledged, {len(wrong)} lost or repeated")
    cluster.stop_server("isolated", signal.SIGTERM)


def reads_on_replicas(cluster: Cluster) -> int:
    return int(sum(cluster.metric(r'db_reads_total\{target="/')))


def check_replicas(cluster: Cluster, load: Load) -> None:
    """Stops and delays a replica under load."""
    load.take()

    def check_step(title: str, seconds: float) -> None:
        stale, checked = len(load.stale), load.checked
        time.sleep(seconds)
        results, stale, checked = load.take(), len(load.stale) - stale, load.checked - checked
        check(title, not failed(results) and not stale and checked > 20, f"{summary(results)}; {checked} reads checked, {stale} stale")

    before = reads_on_replicas(cluster)
    check_step("reads run on replicas", 2)
    reads = reads_on_replicas(cluster) - before
    check("replicas run most reads", reads > 20, f"{reads} reads")
    cluster.control_replica("stop")
    check_step("a stopped replica fails no request", 3)
    cluster.control_replica("start")
    cluster.wait_for_replicas(2)
    check_step("a started replica is used again", 2)
    cluster.delay_replica(3)
    behind = sum(cluster.metric(r'db_replica_fallbacks_total\{reason="behind"'))
    check_step("a delayed replica returns no stale data", 5)
    behind = sum(cluster.metric(r'db_replica_fallbacks_total\{reason="behind"')) - behind
    check("reads that the delayed replica cannot serve run on the primary", behind > 0, f"{behind:.0f} reads")
    cluster.delay_replica(60)
    cluster.wait_for_replicas(1)
    check_step("a replica that lags too far behind is not used", 1)
    cluster.delay_replica(0)
    cluster.wait_for_replicas(2)


def main() -> None:
    with Cluster() as cluster:
        load = Load(cluster.url)
        for thread in load.threads:
            thread.start()
        time.sleep(3)
        results = load.take()
        check("steady load", not failed(results) and len(results) > 20, summary(results))

        cluster.wait_for_replicas(2)
        check_replicas(cluster, load)

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
        test_partition(cluster)
        results = load.take()
        check("the other servers fail no request during the partition", not failed(results), summary(results))

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

        # The promoted standby is a primary, and the replica follows it.
        cluster.query("CHECKPOINT", STANDBY)
        cluster.wait_for_replicas(1, "CHECKPOINT")
        before = reads_on_replicas(cluster)
        time.sleep(2)
        results, reads = load.take(), reads_on_replicas(cluster) - before
        check("a replica that follows the new primary is used", not failed(results) and reads > 0, f"{reads} reads; {summary(results)}")

        load.running = False
        for thread in load.threads:
            thread.join(60)
        if failures:
            for line in cluster.errors():
                print(f"        | {line}")
        names = collections.Counter(cluster.query("SELECT name FROM items", STANDBY).split())
        lost = [key for key in load.acknowledged if not names[key]]
        repeated = [name for name, count in names.items() if count > 1]
        check("no acknowledged write is lost", not lost, f"{len(load.acknowledged)} acknowledged, {len(lost)} lost")
        check("no read is older than a write of its client", not load.stale, f"{load.checked} reads checked, {len(load.stale)} stale {load.stale[:3]}")
        check("no write is repeated", not repeated, f"{len(names)} items, {len(repeated)} repeated")
    print(f"\n{'FAILED' if failures else 'all checks passed'}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
