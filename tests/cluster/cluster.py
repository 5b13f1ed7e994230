"""A cluster on this machine: three servers behind HAProxy, PgBouncer, PostgreSQL with a synchronous standby and a replica of it, Redis, and Prometheus. The
configuration of HAProxy is that of deploy/compose/."""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from partition import Partition

ROOT = Path(__file__).resolve().parents[2]
SERVERS = 3
# Ports of the PostgreSQL servers.
PRIMARY, STANDBY, REPLICA = 5432, 5433, 5434


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def postgres_program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not found and not shutil.which(name):
        raise SystemExit(f"error: {name} is not installed\nhelp: install PostgreSQL and try again")
    return str(found[-1]) if found else shutil.which(name)


def wait_until(condition, title: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{title}: not within {seconds} seconds")
        time.sleep(0.05)


class Cluster:
    def __enter__(self) -> "Cluster":
        # The path of a socket must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="bucketlist-cluster.", dir="/tmp"))
        self.processes: dict[str, subprocess.Popen] = {}
        self.databases: list[Path] = []
        # None if this machine allows no network namespace.
        self.partition: Partition | None = None
        try:
            self.start()
        except BaseException:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-10:], sep="\n", file=sys.stderr)
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        for database in self.databases:
            self.postgres("pg_ctl", "stop", "-D", str(database), "-m", "immediate", "-s", check=False)
        if self.partition:
            self.partition.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def as_owner(self) -> list[str]:
        """PostgreSQL and PgBouncer do not run as root."""
        if os.getuid() != 0:
            return []
        owner = pwd.getpwnam("postgres")
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]

    def postgres(self, name: str, *arguments: str, check: bool = True) -> None:
        command = [*self.as_owner(), postgres_program(name), *arguments]
        subprocess.run(command, cwd=self.folder, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL if not check else None)

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def spawn(self, name: str, command: list[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd=cwd or self.folder)

    def start(self) -> None:
        ports = free_ports(2 * SERVERS + 3)
        self.ports, self.metrics = ports[:SERVERS], ports[SERVERS : 2 * SERVERS]
        api, haproxy_metrics, prometheus = ports[2 * SERVERS :]
        self.url, self.prometheus = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{prometheus}"
        self.partition = Partition.create()
        self.start_postgres()
        self.start_pgbouncer(PRIMARY)
        self.start_redis()
        host = str(self.folder).replace("/", "%2F")
        self.environment = {
            "PATH": os.environ["PATH"],
            "APP_ENV": "production",
            "AUTO_MIGRATE": "false",
            "DATABASE_URL": f"postgres://postgres@{host}:6432/postgres",
            "DATABASE_REPLICA_URLS": f"postgres://postgres@{host}:{STANDBY}/postgres,postgres://postgres@{host}:{REPLICA}/postgres",
            "JWT_SECRET": secrets.token_hex(32),
            "LOG_LEVEL": "warn",
            "PUBLIC_URL": self.url,
            # Only exports are limited below what the load sends.
            "RATE_LIMIT_GENERAL": "1000000",
            "RATE_LIMIT_LOGIN": "1000000",
            "RATE_LIMIT_REGISTER": "1000000",
            "RATE_LIMIT_EXPORTS": "30",
            "REDIS_TIMEOUT": "50ms",
            "REDIS_URL": f"unix://{self.folder}/redis.sock",
            "SHUTDOWN_DELAY": "3s",
            "SHUTDOWN_TIMEOUT": "10s",
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        subprocess.run([os.environ["BUCKETLIST"], "migrate", "up"], env=self.environment, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        for number in range(SERVERS):
            self.start_server(number)
        for number in range(SERVERS):
            self.wait_until_ready(number)
        self.start_haproxy(api, haproxy_metrics)
        self.start_prometheus(prometheus, haproxy_metrics)
        wait_until(lambda: status(f"{self.url}/health/ready") == 200, "HAProxy forwards requests")

    def start_postgres(self) -> None:
        primary = self.folder / "primary"
        self.postgres("initdb", "-D", str(primary), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        with open(primary / "postgresql.conf", "a") as settings:
            settings.write(f"listen_addresses = ''\nunix_socket_directories = '{self.folder}'\nport = {PRIMARY}\nfsync = off\n")
        self.databases.append(primary)
        self.postgres("pg_ctl", "start", "-D", str(primary), "-l", str(self.folder / "primary.log"), "-w", "-s")
        self.start_standby("standby", STANDBY, PRIMARY)
        # Replicates the standby, so that it never has more than a standby that is promoted.
        self.start_standby("replica", REPLICA, STANDBY)
        # A write is acknowledged when the standby has it. Set after the backup, so that the standby does not wait for another one.
        for sql in ("ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()"):
            self.query(sql, PRIMARY)

    def start_standby(self, name: str, port: int, upstream: int) -> None:
        data = self.folder / name
        self.postgres("pg_basebackup", "-h", str(self.folder), "-p", str(PRIMARY), "-U", "postgres", "-D", str(data), "-R", "-c", "fast")
        with open(data / "postgresql.conf", "a") as settings:
            settings.write(f"port = {port}\ncluster_name = '{name}'\n")
        with open(data / "postgresql.auto.conf", "a") as settings:
            settings.write(f"primary_conninfo = 'host={self.folder} port={upstream} user=postgres'\n")
        self.databases.append(data)
        self.control_replica("start", name)

    def control_replica(self, action: str, name: str = "replica") -> None:
        """Starts or stops a standby."""
        arguments = ["-m", "immediate"] if action == "stop" else ["-l", str(self.folder / f"{name}.log")]
        self.postgres("pg_ctl", action, "-D", str(self.folder / name), *arguments, "-w", "-s")

    def delay_replica(self, seconds: int) -> None:
        """Makes the replica apply each change this long after its commit."""
        for sql in (f"ALTER SYSTEM SET recovery_min_apply_delay = '{seconds}s'", "SELECT pg_reload_conf()"):
            self.query(sql, REPLICA)

    def metric(self, pattern: str) -> list[float]:
        """Returns the values of the series that match a regular expression, of all servers that respond."""
        values = []
        for port in self.metrics:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as response:
                    lines = response.read().decode().splitlines()
            except OSError:
                continue
            values += [float(line.split()[-1]) for line in lines if re.match(pattern, line)]
        return values

    def wait_for_replicas(self, count: int, sql: str = "SELECT 1") -> None:
        """Waits until each server uses this number of replicas, and meanwhile runs a statement on the replica."""
        is_used = lambda: self.query(sql, REPLICA) is not None and sum(self.metric("db_replica_available")) == count * SERVERS
        wait_until(is_used, f"{count} replicas are used")

    def query(self, sql: str, port: int) -> str:
        command = ["psql", "-h", str(self.folder), "-p", str(port), "-U", "postgres", "-Atqc", sql, "postgres"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def start_pgbouncer(self, port: int) -> None:
        self.write("users.txt", '"postgres" ""\n')
        settings = self.write(
            "pgbouncer.ini",
            f"[databases]\n* = host={self.folder} port={port}\n[pgbouncer]\nlisten_addr = {self.partition.address('postgres') if self.partition else ''}\nlisten_port = 6432\nunix_socket_dir = {self.folder}\n"
            f"auth_type = trust\nauth_file = {self.folder}/users.txt\npool_mode = transaction\ndefault_pool_size = 20\nserver_login_retry = 1\n",
        )
        if "pgbouncer" in self.processes:
            self.processes["pgbouncer"].send_signal(signal.SIGHUP)
            return
        self.spawn("pgbouncer", [*self.as_owner(), shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "--quiet", settings])
        wait_until(lambda: (self.folder / ".s.PGSQL.6432").exists(), "PgBouncer listens")

    def start_redis(self) -> None:
        """Starts an empty Redis."""
        port = ["--port", "6379", "--bind", self.partition.address("redis"), "--protected-mode", "no"] if self.partition else ["--port", "0"]
        self.spawn("redis", ["redis-server", *port, "--unixsocket", f"{self.folder}/redis.sock", "--save", "", "--appendonly", "no"])
        wait_until(lambda: is_listening(self.folder / "redis.sock"), "Redis listens")

    def stop_redis(self) -> None:
        self.processes["redis"].kill()
        self.processes["redis"].wait()

    def start_server(self, number: int) -> None:
        own = {"PORT": str(self.ports[number]), "METRICS_ADDR": f"127.0.0.1:{self.metrics[number]}", "DATA_DIR": str(self.folder / f"data-{number}")}
        self.spawn(f"server-{number}", [os.environ["BUCKETLIST"], "serve"], env=self.environment | own)

    def start_isolated_server(self) -> str:
        """Starts a server in the namespace, which has TCP connections. Returns its URL."""
        own = {
            "PORT": "8000",
            "HOST": "0.0.0.0",
            "DATA_DIR": str(self.folder / "data-isolated"),
            "DATABASE_URL": f"postgres://postgres@{self.partition.address('postgres')}:6432/postgres",
            # Their sockets can be reached from every namespace.
            "DATABASE_REPLICA_URLS": "",
            "REDIS_URL": f"redis://{self.partition.address('redis')}:6379",
        }
        self.spawn("server-isolated", self.partition.command([os.environ["BUCKETLIST"], "serve"]), env=self.environment | own)
        url = f"http://{self.partition.server('client')}:8000"
        wait_until(lambda: status(f"{url}/health/ready") == 200, "the isolated server is ready")
        return url

    def wait_until_ready(self, number: int) -> None:
        wait_until(lambda: status(f"http://127.0.0.1:{self.ports[number]}/health/ready") == 200, f"server {number} is ready")

    def stop_server(self, number: int | str, kind: signal.Signals) -> None:
        process = self.processes[f"server-{number}"]
        process.send_signal(kind)
        process.wait(30)

    def errors(self) -> list[str]:
        """Returns the errors in the logs of the servers."""
        lines = (line for log in self.folder.glob("server-*.log") for line in log.read_text().splitlines())
        return [line for line in lines if '"level":"ERROR"' in line]

    def start_haproxy(self, api: int, metrics: int) -> None:
        text = (ROOT / "deploy/compose/haproxy.cfg").read_text()
        text = re.sub(r"resolvers docker\n(    .*\n)+", "", text).replace("bind :8000", f"bind 127.0.0.1:{api}").replace("bind :8405", f"bind 127.0.0.1:{metrics}")
        servers = "".join(f"    server server{number} 127.0.0.1:{port}\n" for number, port in enumerate(self.ports))
        text, count = re.subn(r"    server-template .*\n", servers, text)
        assert count == 1, "haproxy.cfg has one server-template"
        self.spawn("haproxy", ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)])

    def start_prometheus(self, port: int, haproxy: int) -> None:
        targets = ", ".join(f'"127.0.0.1:{metrics}"' for metrics in self.metrics)
        text = (
            f'rule_files: ["{ROOT}/deploy/prometheus/alerts.yml"]\nglobal: {{scrape_interval: 5s}}\nscrape_configs:\n'
            f"  - {{job_name: bucketlist, static_configs: [{{targets: [{targets}]}}]}}\n"
            f'  - {{job_name: haproxy, static_configs: [{{targets: ["127.0.0.1:{haproxy}"]}}]}}\n'
        )
        arguments = [f"--config.file={self.write('prometheus.yml', text)}", f"--storage.tsdb.path={self.folder}/prometheus", f"--web.listen-address=127.0.0.1:{port}"]
        self.spawn("prometheus", ["prometheus", *arguments])

    def stop_primary(self) -> None:
        self.postgres("pg_ctl", "stop", "-D", str(self.folder / "primary"), "-m", "immediate", "-s")

    def promote_standby(self) -> None:
        self.postgres("pg_ctl", "promote", "-D", str(self.folder / "standby"), "-w", "-s")
        self.start_pgbouncer(STANDBY)


def is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
