#!/usr/bin/env python3
"""What stands still or breaks at either end of a tunnel, through both kinds of entrance: each with its record, nothing else disturbed.

standing_still.py BIN
A client and a target that are stopped (SIGSTOP) in the middle of a transfer hold up nobody else, and get every byte once they go on; a workstation that is stopped loses its session
within the time in which silence is noticed, its target sees a reset, and it opens the tunnel again by itself; targets that refuse, do not answer, or reset are recorded with their reason.
"""
import contextlib
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("faults", "e2e")]
from kill_loop import World, free_port, start_pair  # noqa: E402
from tunnels import EchoServer, cli, is_reset, transfer, wait_for, wait_linked  # noqa: E402
from workstation import Opened, say_and_hear  # noqa: E402

MUCH = 32 << 20
READER = """
import hashlib, socket, sys
got, size = hashlib.sha256(), 0
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:
    while data := line.recv(1 << 16):
        got.update(data)
        size += len(data)
        if size == len(data):
            print("begun", flush=True)
print(size, got.hexdigest(), flush=True)
"""
SINK = """
import hashlib, socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    line, _ = listener.accept()
    got, size = hashlib.sha256(), 0
    while data := line.recv(1 << 16):
        got.update(data)
        size += len(data)
        if size == len(data):
            print("begun", flush=True)
    line.sendall(f"{size} {got.hexdigest()}".encode())
    line.close()
"""


class Source:
    """Sends much to whoever comes."""

    def __init__(self):
        self.block = os.urandom(1 << 20)
        self.hash = hashlib.sha256(self.block * (MUCH >> 20)).hexdigest()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            line, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(line,), daemon=True).start()

    def serve(self, line):
        with line, contextlib.suppress(OSError):  # a question whether it answers ends at once
            for _ in range(MUCH >> 20):
                line.sendall(self.block)


class Resetting:
    """Takes a word and resets."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            line, _ = self.listener.accept()
            with line, contextlib.suppress(OSError):
                line.recv(64)
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def program(text, *words):
    return subprocess.Popen([sys.executable, "-c", text, *map(str, words)], stdout=subprocess.PIPE, text=True)


def others_go_on(echo):
    sent, got = transfer(echo, 8 << 20)
    assert sent == got, "the bytes of another connection changed on the way"


def stopped_client(source, entrance, echo):
    reader = program(READER, entrance)
    assert reader.stdout.readline() == "begun\n"
    reader.send_signal(signal.SIGSTOP)
    others_go_on(echo)
    reader.send_signal(signal.SIGCONT)
    said, _ = reader.communicate(timeout=60)
    assert said.split() == [str(MUCH), source.hash], said


def stopped_target(sink, entrance, echo):
    block = os.urandom(1 << 20)
    with socket.create_connection(("127.0.0.1", entrance), timeout=60) as client:
        def send():
            for _ in range(MUCH >> 20):
                client.sendall(block)
            client.shutdown(socket.SHUT_WR)
        sender = threading.Thread(target=send)
        sender.start()
        assert sink.stdout.readline() == "begun\n"
        sink.send_signal(signal.SIGSTOP)
        others_go_on(echo)
        sink.send_signal(signal.SIGCONT)
        sender.join()
        answer = client.recv(256).decode()
    assert answer.split() == [str(MUCH), hashlib.sha256(block * (MUCH >> 20)).hexdigest()], answer


def stopped_workstation(world, opened, echo_server, echo):
    before = echo_server.ended.count("reset")
    with opened.connect() as client:
        say_and_hear(client, b"before")
        opened.process.send_signal(signal.SIGSTOP)
        wait_for("a reset of the target", lambda: echo_server.ended.count("reset") == before + 1, 60)
        others_go_on(echo)
        wait_for("its record", lambda: "client_reset" in ends_of(world, "echo"))
        opened.process.send_signal(signal.SIGCONT)
        assert is_reset(client)
    with opened.connect() as client:  # waits until the relay is found again
        say_and_hear(client, b"after")
    code, err = opened.end()
    assert code == 0 and "the relay is back" in err, (code, err)


def ends_of(world, name):
    return [one["end"] for one in cli(world, "tunnel", "connections", name)["items"]]


def record(world, name):
    """Of the newest connection that is over."""
    wait_for("an access record", lambda: any(one["closed_at"] for one in cli(world, "tunnel", "connections", name)["items"]))
    return next(one for one in cli(world, "tunnel", "connections", name)["items"] if one["closed_at"])


def bad_targets(world, ports):
    for name, end, reason in (("refuses", "unreachable", "Connection refused"), ("silent", "unreachable", "no answer in time"), ("resets", "target_reset", "")):
        with socket.create_connection(("127.0.0.1", ports[name])) as client:
            if name == "resets":  # the others break off without a word
                client.sendall(b"hello")
            assert is_reset(client), name
        told = record(world, name)
        assert told["end"] == end and reason in told["detail"], told


def main():
    world = World(sys.argv[1])
    echo, source, resetting, sink = EchoServer(), Source(), Resetting(), program(SINK)
    full = socket.create_server(("127.0.0.1", 0), backlog=0)  # one waits in it, and nobody else is answered
    waiting, opened = [socket.socket() for _ in range(3)], {}
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(full.getsockname())
    try:
        targets = {"echo": echo.port, "source": source.port, "sink": int(sink.stdout.readline()), "refuses": free_port(), "silent": full.getsockname()[1], "resets": resetting.port}
        with open(world.dir / "agent/policy.yaml", "a") as policy:
            policy.write("tunnels:\n" + "".join(f'  - {{target: "127.0.0.1:{port}"}}\n' for port in targets.values()))
        start_pair(world)
        wait_linked(world)
        ports = {name: free_port() for name in targets}
        for name, port in targets.items():
            cli(world, "tunnel", "create", name, "--group", "dc1", "--target", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{ports[name]}")
        bad_targets(world, ports)
        for name in ("source", "sink", "echo"):
            opened[name] = Opened(world, name)
        for entrances in (ports, {name: one.port for name, one in opened.items()}):
            stopped_client(source, entrances["source"], ports["echo"])
            stopped_target(sink, entrances["sink"], ports["echo"])
        stopped_workstation(world, opened["echo"], echo, ports["echo"])
        assert "link.lost" not in (world.dir / "agent.log").read_text(), "the agent's link"
    finally:
        for process in (sink, *(one.process for one in opened.values())):
            process.kill()
            process.wait()
        world.close()
    print("standing still: stopped clients, targets and workstations held up nobody, and got every byte or a record; bad targets are recorded with their reasons")


if __name__ == "__main__":
    main()
