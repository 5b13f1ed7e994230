"""A network namespace for a server that can be cut off from Redis or PostgreSQL. Requires root and `ip`."""

import os
import shutil
import subprocess

LINKS = ("client", "redis", "postgres")


class Partition:
    """A namespace with a link of its own to each service."""

    def __init__(self) -> None:
        self.name = f"bucketlist-{os.getpid()}"
        self.network = f"10.{200 + os.getpid() % 50}"

    @classmethod
    def create(cls) -> "Partition | None":
        """Returns None if this machine does not allow it."""
        if os.getuid() != 0 or not shutil.which("ip"):
            return None
        partition = cls()
        try:
            partition.start()
        except subprocess.CalledProcessError:
            partition.remove()
            return None
        return partition

    def start(self) -> None:
        self.ip("netns", "add", self.name)
        self.ip("-n", self.name, "link", "set", "lo", "up")
        for number, link in enumerate(LINKS):
            here, there = f"bl{os.getpid()}h{number}", f"bl{os.getpid()}n{number}"
            self.ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
            self.ip("addr", "add", f"{self.address(link)}/30", "dev", here)
            self.ip("link", "set", here, "up")
            self.ip("-n", self.name, "addr", "add", f"{self.server(link)}/30", "dev", there)
            self.ip("-n", self.name, "link", "set", there, "up")

    def remove(self) -> None:
        # Its links are removed with it.
        subprocess.run(["ip", "netns", "delete", self.name], check=False, stderr=subprocess.DEVNULL)

    def ip(self, *arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, stderr=subprocess.DEVNULL)

    def address(self, link: str) -> str:
        """Returns the address of a service for the server."""
        return f"{self.network}.{LINKS.index(link)}.1"

    def server(self, link: str) -> str:
        """Returns the address of the server for a service."""
        return f"{self.network}.{LINKS.index(link)}.2"

    def cut(self, link: str) -> None:
        """Drops all packets to the server, so that it hears nothing from the service."""
        self.ip("route", "add", "blackhole", f"{self.server(link)}/32")

    def heal(self, link: str) -> None:
        self.ip("route", "delete", "blackhole", f"{self.server(link)}/32")

    def command(self, program: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *program]
