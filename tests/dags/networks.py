"""The networks of docker-compose.yml for services that are plain processes: a network namespace for each service.

A network is a bridge. A service is on the networks that it names and reaches nothing else: on a network that is `internal` there is
nobody but services, and on any other this machine has an address. A service finds the others by their names. What listens on
loopback of this machine is reached through a relay on loopback of each namespace, which connects from inside of it; so where
compose gives no way out, there is none.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PREFIX = "198.18"  # the range for tests of networks (RFC 2544)
CLONE_NEWNET = 0x40000000


def run(*words: str) -> None:
    """Run a command of the system."""
    subprocess.run(words, check=True, capture_output=True)


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections to a port of one address on to the same port of another."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, listen: str, target: str, port: int) -> None:
        """Listen in the network namespace of this thread."""
        self.target = (target, port)
        super().__init__((listen, port), Both)

    def handle_error(self, request: object, client_address: object) -> None:
        """Close the connection: what is behind the relay cannot be reached, or has ended it."""
        del request, client_address


class Both(socketserver.BaseRequestHandler):
    """One connection through a relay."""

    def handle(self) -> None:
        """Copy what comes from either end to the other."""
        assert isinstance(self.server, Relay)
        with socket.create_connection(self.server.target, 5) as there:
            back = threading.Thread(target=copy, args=(there, self.request), daemon=True)
            back.start()
            copy(self.request, there)
            back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    """Send on what arrives, until there is no more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Networks:
    """Services, their namespaces and their addresses."""

    def __init__(self, networks: Mapping[str, Any], services: Mapping[str, list[str]], ports: list[int]) -> None:
        """Describe networks by name (`{"internal": True}` has no way out), services by their networks, and ports of this machine."""
        self.mark = f"dm{os.getpid() % 100_000}"
        self.networks, self.services, self.ports = networks, services, ports
        self.subnets = {name: f"{PREFIX}.{n}" for n, name in enumerate(networks)}
        self.relays: list[Relay] = []

    def name(self, service: str) -> str:
        """Return the namespace of a service."""
        return f"{self.mark}-{service}"

    def address(self, service: str, network: str) -> str:
        """Return the address of a service on a network."""
        return f"{self.subnets[network]}.{list(self.services).index(service) + 10}"

    def inside(self, service: str, *words: str) -> list[str]:
        """Return a command as it runs in the namespace of a service, on a host of its name."""
        entered = ["ip", "netns", "exec", self.name(service), "unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']
        return [*entered, service, *words]

    @contextlib.contextmanager
    def up(self) -> Iterator["Networks"]:
        """Make the networks, and remove them at the end."""
        try:
            for number, (name, given) in enumerate(self.networks.items()):
                run("ip", "link", "add", f"{self.mark}n{number}", "type", "bridge")
                if not (given or {}).get("internal"):
                    run("ip", "address", "add", f"{self.subnets[name]}.1/24", "dev", f"{self.mark}n{number}")
                run("ip", "link", "set", f"{self.mark}n{number}", "up")
            for service in self.services:
                self._connect(service)
            for name, given in self.networks.items():
                if not (given or {}).get("internal"):
                    for port in self.ports:
                        self._relay(None, f"{self.subnets[name]}.1", "127.0.0.1", port)
            yield self
        finally:
            for relay in self.relays:
                relay.shutdown()
                relay.server_close()
            for service in self.services:
                subprocess.run(["ip", "netns", "delete", self.name(service)], check=False, capture_output=True)
                shutil.rmtree(Path("/etc/netns") / self.name(service), ignore_errors=True)
            for number in range(len(self.networks)):
                subprocess.run(["ip", "link", "delete", f"{self.mark}n{number}"], check=False, capture_output=True)

    def _connect(self, service: str) -> None:
        space, number = self.name(service), list(self.services).index(service)
        run("ip", "netns", "add", space)
        run("ip", "-n", space, "link", "set", "lo", "up")
        names = ["127.0.0.1 localhost"]
        for network in self.services[service]:
            n = list(self.networks).index(network)
            here, there = f"{self.mark}n{n}s{number}", f"eth{n}"
            run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", space)
            run("ip", "link", "set", here, "master", f"{self.mark}n{n}", "up")
            run("ip", "-n", space, "address", "add", f"{self.address(service, network)}/24", "dev", there)
            run("ip", "-n", space, "link", "set", there, "up")
            names += [f"{self.address(other, network)} {other}" for other, on in self.services.items() if network in on]
        hosts = Path("/etc/netns") / space / "hosts"
        hosts.parent.mkdir(parents=True)
        hosts.write_text("\n".join(names) + "\n")
        outside = [f"{self.subnets[name]}.1" for name, given in self.networks.items() if not (given or {}).get("internal")]
        for port in self.ports:
            self._relay(space, "127.0.0.1", outside[0], port)

    def _relay(self, space: str | None, listen: str, target: str, port: int) -> None:
        """Start a relay in a thread that has entered a namespace: its connections begin there, as their threads do."""
        ready = threading.Event()

        def serve() -> None:
            try:
                if space:
                    with Path("/var/run/netns", space).open() as file:
                        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                            raise OSError(ctypes.get_errno(), "setns")
                relay = Relay(listen, target, port)
                self.relays.append(relay)
            finally:
                ready.set()
            relay.serve_forever()

        threading.Thread(target=serve, daemon=True).start()
        ready.wait()


def can_be_made() -> bool:
    """Return whether this process may make network namespaces here."""
    needed = all(shutil.which(name) for name in ("ip", "unshare", "setpriv", "hostname"))
    return needed and os.geteuid() == 0 and subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0
