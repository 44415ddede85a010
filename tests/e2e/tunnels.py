#!/usr/bin/env python3
"""Real programs through a tunnel: a listener of the relay, the agent's link, a local system.

tunnels.py BIN
psql asks a real PostgreSQL server and curl a real web server; a transfer arrives whole in both directions with both sides' memory flat; what the local
policy does not allow is refused with its rule; a pause cuts what is open; a relay that is killed leaves no access record open; clients and targets of a relay or agent that was killed see a reset.
"""
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import Postgres, World, free_port, start_pair  # noqa: E402

TRANSFER = 64 << 20
MOST_GROWTH = {"agent": 16 << 10, "relay": 32 << 10}  # KiB of resident memory, by a second transfer


class WebServer(http.server.ThreadingHTTPServer):
    """The files of this folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class EchoServer:
    """Answers with what it gets, and ends its direction when the client has ended its own; `ended` tells how each connection did."""

    def __init__(self):
        self.ended = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.echo, args=(connection,), daemon=True).start()

    def echo(self, connection):
        with connection:
            try:
                while data := connection.recv(1 << 16):
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                self.ended.append("end")
            except OSError as problem:
                self.ended.append("reset" if isinstance(problem, ConnectionResetError) else str(problem))


def wait_for(what, is_so, seconds=30):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


def cli(world, *words, good=True):
    done = subprocess.run([world.bin / "sallyport", *map(str, words), "-o", "json"], env=world.env, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == good, f"sallyport {words}: {done.returncode} {done.stdout} {done.stderr}"
    return json.loads(done.stdout) if good and done.stdout else done.stderr


def tunnel(world, name, target):
    port = free_port()
    told = cli(world, "tunnel", "create", name, "--group", "dc1", "--target", f"127.0.0.1:{target}", "--listen", f"127.0.0.1:{port}")
    return port, told


def linked(world):
    """The agents whose links are proven: before that they carry no tunnel."""
    return {agent["id"] for agent in world.read("/v1/agents")["items"] if agent["link"] and any(link["round_trip_ms"] is not None for link in agent["link"]["each"])}


def wait_linked(world):
    wait_for("the agent's link", lambda: linked(world))


def stored_open(world):
    """How many open connections the relay's database knows, whatever the relay itself does: what it has after a kill."""
    with contextlib.closing(sqlite3.connect(f"file:{world.dir}/relay/relay.db?mode=ro", uri=True, timeout=30)) as db:
        return db.execute("select count(*) from tunnel_connections where closed_at is null").fetchone()[0]


def ends(world, name, count):
    """The end words of a tunnel's access records, when `count` of them are there."""
    deadline = time.monotonic() + 30
    while True:
        records = cli(world, "tunnel", "connections", name)["items"]
        if len(records) >= count and all(record["closed_at"] for record in records):
            return [record["end"] for record in records]
        assert time.monotonic() < deadline, records
        time.sleep(0.1)


def transfer(port, size):
    """Sends `size` bytes (whole MiB) to an echo and receives at the same time; the hashes of both."""
    block = os.urandom(1 << 20)
    sent, got = hashlib.sha256(), hashlib.sha256()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        def send():
            for _ in range(size >> 20):
                client.sendall(block)
                sent.update(block)
            client.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        while data := client.recv(1 << 16):
            got.update(data)
        sender.join()
    return sent.hexdigest(), got.hexdigest()


def is_reset(where):
    """True when the other side breaks the connection off: an open one, or one made for it."""
    client = socket.create_connection(("127.0.0.1", where)) if isinstance(where, int) else where
    client.settimeout(30)
    try:
        client.recv(64)
        return False
    except ConnectionResetError:
        return True


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return False
    except ConnectionRefusedError:
        return True


def resident(world, name):
    status = pathlib.Path(f"/proc/{world.processes[name].pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def main():
    world = World(sys.argv[1], server=Postgres)
    web, echo, closed = WebServer(), EchoServer(), free_port()
    try:
        allowed = [world.server.port, web.server_port, echo.port, closed]
        with open(world.dir / "agent/policy.yaml", "a") as policy:
            policy.write("tunnels:\n" + "".join(f'  - {{target: "127.0.0.1:{port}"}}\n' for port in allowed))
        world.env["ASAN_OPTIONS"] = "quarantine_size_mb=4"  # where it is one of those builds, freed memory would count otherwise
        start_pair(world)
        wait_linked(world)

        port, told = tunnel(world, "db", world.server.port)
        assert told["reach"]["allowed"] and told["reach"]["answers"], told
        psql = next(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"))
        rows = subprocess.run([psql, "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-XAtqc", "select count(*), sum(n) from generate_series(1, 100000) n"],
                              capture_output=True, text=True, timeout=60, env=world.env)
        assert rows.stdout == "100000|5000050000\n", rows

        port, _ = tunnel(world, "web", web.server_port)
        page = subprocess.run(["curl", "-sS", "--noproxy", "*", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=60, env=world.env)
        assert page.returncode == 0 and "<html" in page.stdout.lower(), page

        echo_port, _ = tunnel(world, "echo", echo.port)
        transfer(echo_port, TRANSFER)
        before = {name: resident(world, name) for name in MOST_GROWTH}
        sent, got = transfer(echo_port, TRANSFER)
        assert sent == got, "the bytes changed on the way"
        grown = {name: resident(world, name) - before[name] for name in MOST_GROWTH}
        assert all(grown[name] < most for name, most in MOST_GROWTH.items()), f"KiB grown: {grown}"
        assert ends(world, "echo", 2) == ["finished"] * 2

        port, told = tunnel(world, "down", closed)
        assert told["reach"]["allowed"] and not told["reach"]["answers"], told
        assert is_reset(port)
        assert ends(world, "down", 1) == ["unreachable"]
        port, told = tunnel(world, "forbidden", free_port())
        assert not told["reach"]["allowed"] and "policy.yaml" in told["reach"]["rule"], told
        assert is_reset(port)
        assert ends(world, "forbidden", 1) == ["refused_by_policy"]

        with socket.create_connection(("127.0.0.1", echo_port)) as client:
            client.sendall(b"still here")
            assert client.recv(64) == b"still here"
            cli(world, "tunnel", "pause", "echo")
            assert is_reset(client)
        wait_for("a reset of the target", lambda: echo.ended.count("reset") == 1)
        assert refuses(echo_port)
        assert ends(world, "echo", 3)[0] == "paused"
        cli(world, "tunnel", "resume", "echo")
        with socket.create_connection(("127.0.0.1", echo_port)) as client:
            client.sendall(b"again")
            assert client.recv(64) == b"again"
            wait_for("its access record in the database", lambda: stored_open(world) == 1)
            world.kill("relay")
            assert is_reset(client)
        wait_for("a reset of the target", lambda: echo.ended.count("reset") == 2)
        world.start("relay")
        world.wait_ready()
        wait_linked(world)
        assert ends(world, "echo", 4)[0] == "relay_stopped"
        sent, got = transfer(echo_port, TRANSFER)
        assert sent == got, "the bytes changed on the way"
        with socket.create_connection(("127.0.0.1", echo_port)) as client:
            client.sendall(b"and")
            assert client.recv(64) == b"and"
            world.kill("agent")
            assert is_reset(client)
        wait_for("a reset of the target", lambda: echo.ended.count("reset") == 3)
        assert set(echo.ended) == {"end", "reset"}, echo.ended
        assert ends(world, "echo", 6)[0] == "link_lost"
        assert is_reset(echo_port)
        assert ends(world, "echo", 7)[0] == "no_agent"
        cli(world, "tunnel", "delete", "echo")
        assert refuses(echo_port)
    finally:
        web.shutdown()
        world.close()
    print(f"tunnels: psql and curl, {TRANSFER >> 20} MiB both ways with equal hashes, KiB grown: {grown}; refused, cut and recorded as they should be")


if __name__ == "__main__":
    main()
