#!/usr/bin/env python3
"""An agent's folder is copied and run beside the original, as a cloned machine does (AG5).

copied_agent.py BIN
While the original lives, the copy is refused, stands still, and the ledger has it; the original's link and its tunnel notice nothing. After the original has renewed its certificate (the
deployment's root changes) the copy is refused for good, also when it is alone; the original comes back.
"""
import pathlib
import shutil
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from root_rotation import events, links, root  # noqa: E402
from tunnels import EchoServer, cli, wait_for, wait_linked  # noqa: E402
from kill_loop import World, free_port, start_pair  # noqa: E402


def refused(world, word):
    """The reasons for which the ledger has a copy, newest first, once it has this one."""
    reasons = []

    def is_told():
        rows = [row["event"] for row in cli(world, "audit", "list", "--limit", 50)["items"]]
        reasons[:] = [row["detail"]["reason"] for row in rows if row["action"] == "agent.quarantine" and row["outcome"] == "refused"]
        return word in reasons
    wait_for(f"{word} in the ledger", is_told)
    return reasons


def talk(client):
    client.settimeout(30)
    client.sendall(b"the original")
    assert client.recv(64) == b"the original"


def carried(port):
    """A connection that the tunnel carries, once it does: a link has to have been proven before."""
    clients = []

    def is_there():
        client = socket.create_connection(("127.0.0.1", port))
        try:
            talk(client)
        except OSError:
            client.close()
            return False
        clients.append(client)
        return True
    wait_for("the tunnel", is_there)
    return clients[0]


def start(world):
    """The original, until it has a link; that of a process that was killed may still be in the relay's list."""
    before = len(events(world, "agent", "link.ready"))
    world.start("agent")
    wait_for("the original's link", lambda: len(events(world, "agent", "link.ready")) > before)


def main():
    world, echo = World(sys.argv[1]), EchoServer()
    try:
        with open(world.dir / "agent/policy.yaml", "a") as policy:
            policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{echo.port}"}}\n')
        start_pair(world)
        wait_linked(world)
        world.kill("agent")
        shutil.copytree(world.dir / "agent", world.dir / "copy", ignore=shutil.ignore_patterns("*.sock"))
        port = free_port()
        cli(world, "tunnel", "create", "echo", "--group", "dc1", "--target", f"127.0.0.1:{echo.port}", "--listen", f"127.0.0.1:{port}")
        start(world)
        with carried(port) as client:
            lost = len(events(world, "agent", "link.lost"))
            world.start("copy")
            wait_for("the copy to stand still", lambda: events(world, "copy", "engine.suspended"))
            assert refused(world, "second_process") == ["second_process"]
            root(world, "prepare")
            root(world, "switch")
            wait_for("the original's new certificate", lambda: events(world, "agent", "certificate.renewed"))
            talk(client)
            assert len(events(world, "agent", "link.lost")) == lost
        for name in ("copy", "agent"):
            world.kill(name)
        start(world)

        world.kill("agent")
        wait_for("nobody", lambda: links(world) == 0)
        world.start("copy")
        assert refused(world, "tls.old_generation") == ["tls.old_generation", "second_process"]
        assert not events(world, "copy", "link.ready") and links(world) == 0
        start(world)
        carried(port).close()
    finally:
        world.close()
    print("copied agent: refused beside the original and, once that had renewed, also without it; both times in the ledger")


if __name__ == "__main__":
    main()
