#!/usr/bin/env python3
"""How long a revoked agent still has (T4): from the API's answer until its live link and what it carries are cut, agent by agent, while the others go on.

revocation.py BIN [AGENTS]; 8 agents without a number.
Each agent is linked and carries a connection of a tunnel of its own when it is revoked. That connection is reset, the list shows no link, and the agent says that it is revoked; it does not
come back, also not as a new process. Nobody else's connection notices. How long it took at the most is printed: 5 s are promised, and a busy machine may need longer to see it.
"""
import pathlib
import socket
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("faults", "e2e")]
from kill_loop import World, free_port, start_pair  # noqa: E402
from tunnels import EchoServer, cli, is_reset, linked, wait_for  # noqa: E402


def talk(client):
    client.settimeout(30)
    client.sendall(b"still here")
    assert client.recv(64) == b"still here"


def says_revoked(world, name):
    return "revoked" in (world.dir / f"{name}.log").read_text(errors="replace")


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    world = World(sys.argv[1], agents=tuple(f"agent{n}" for n in range(count)))
    echo, clients, took = EchoServer(), {}, []
    try:
        for agent in world.agents:
            with open(world.dir / agent / "policy.yaml", "a") as policy:
                policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{echo.port}"}}\n')
        start_pair(world)
        wait_for("all links", lambda: len(linked(world)) == count, 60)
        for agent in linked(world):
            port = free_port()
            cli(world, "tunnel", "create", f"to-{agent[-8:].lower()}", "--group", "dc1", "--agent", agent, "--target", f"127.0.0.1:{echo.port}", "--listen", f"127.0.0.1:{port}")
            clients[agent] = socket.create_connection(("127.0.0.1", port))
        while clients:
            for client in clients.values():
                talk(client)
            agent, client = clients.popitem()
            cli(world, "agent", "revoke", agent)
            begun = time.monotonic()
            assert is_reset(client), "the connection of a revoked agent"
            wait_for("the end of the link", lambda: agent not in linked(world))
            took.append(time.monotonic() - begun)
        wait_for("the word of every agent", lambda: all(says_revoked(world, name) for name in world.agents))
        world.kill(world.agents[0])
        (world.dir / f"{world.agents[0]}.log").unlink()
        world.start(world.agents[0])
        wait_for("the refusal of one that was started again", lambda: says_revoked(world, world.agents[0]))
        assert not linked(world)
    finally:
        world.close()
    print(f"revocation: {count} live links cut, the last of each seen after {max(took):.2f} s at the most")


if __name__ == "__main__":
    main()
