#!/usr/bin/env python3
"""The deployment's root changes under real programs that work, and an agent whose identity was lost comes back as itself.

root_rotation.py BIN
Two agents, one linked directly and one inside a WebSocket, each with two links and a tunnel through which bytes go the whole time, run jobs while the root is prepared, switched to
and retired. Afterwards no link was lost, every byte is the one that was sent, every job ran once; the agents link again with what they were given, and the web edge serves the new root
only. The control: an agent that is killed in the middle of its transfer is found by the same account.
"""
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import World, count_effects, faults_in, free_port, outside_statuses, start_jobs, start_pair, wait_for_ends  # noqa: E402
from tunnels import EchoServer, cli, ends, wait_for  # noqa: E402

AGENTS = ("direct", "inside")
PACE = 0.02  # seconds between blocks: the line is busy, the machine is not full


class Bulk:
    """Random bytes to an echo server and back, until told to stop."""

    def __init__(self, port):
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()
        self.bytes, self.problem, self.enough = 0, "", threading.Event()
        self.client = socket.create_connection(("127.0.0.1", port))
        self.threads = [threading.Thread(target=self.keep, args=(part,)) for part in (self.send, self.take)]
        for thread in self.threads:
            thread.start()

    def keep(self, part):
        try:
            part()
        except OSError as problem:
            self.problem = str(problem)

    def send(self):
        while not self.enough.wait(PACE):
            block = os.urandom(128 << 10)
            self.client.sendall(block)
            self.sent.update(block)
        self.client.shutdown(socket.SHUT_WR)

    def take(self):
        while data := self.client.recv(1 << 16):
            self.got.update(data)
            self.bytes += len(data)

    def end(self):
        self.enough.set()
        for thread in self.threads:
            thread.join(60)
        self.client.close()
        return self.sent.digest() == self.got.digest() and not self.problem


def events(world, name, event):
    lines = (world.dir / f"{name}.log").read_text().splitlines()
    return [fields for line in lines if line.startswith("{") and (fields := json.loads(line))["event"] == event]


def root(world, step, *words, good=True):
    done = subprocess.run([world.bin / "sallyport-relay", "root", step, "--data", world.dir / "relay", *words], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == good, f"root {step}: {done.returncode} {done.stdout} {done.stderr}"
    return done.stdout + done.stderr


def left(world):
    """How many agents are not of the present root."""
    return int(root(world, "show").split(" active agents")[0].rsplit("\n", 1)[-1])


def serves(world, certificate):
    page = subprocess.run(["curl", "-s", "--noproxy", "*", "--cacert", certificate, f"https://127.0.0.1:{world.api}/livez"],
                          capture_output=True, text=True, timeout=30, env=world.env)
    return page.stdout == "ok\n"


def tunnel(world, agent_id, name, target):
    port = free_port()
    cli(world, "tunnel", "create", name, "--group", "dc1", "--agent", agent_id, "--target", f"127.0.0.1:{target}", "--listen", f"127.0.0.1:{port}")
    return port


def ids(world):
    """The agents' ids, as each says of itself."""
    return {name: json.loads(world.run("sallyport-agent", "status", "--json", "--config", world.dir / name))["agent"] for name in AGENTS}


def links(world):
    return sum(agent["link"]["links"] if agent["link"] else 0 for agent in world.read("/v1/agents")["items"])


def losses(world, bulks, accepted, before=0):
    """What did not live through it, in words; `before` links were lost when it began."""
    found = [f"{name}: the bytes are not those that were sent" for name, bulk in bulks.items() if not bulk.end()]
    found += [f"{name}: the connection ended: {end}" for name in bulks for end in ends(world, name, 1) if end != "finished"]
    found += [f"a link was lost: {line['agent']} {line['reason']}" for line in events(world, "relay", "link.lost")[before:]]
    states = wait_for_ends(world, accepted)
    return found + faults_in(count_effects(world), states, outside_statuses(world, accepted))


def rotate(world):
    """Until the agents have followed; what each step says out of turn."""
    assert "nothing" in root(world, "show")
    root(world, "switch", good=False)
    root(world, "prepare")
    wait_for("the relay to see what is prepared", lambda: events(world, "relay", "root.prepared"))
    assert "was told" in root(world, "switch")
    wait_for("the relay to switch", lambda: events(world, "relay", "root.switched"))
    for name in AGENTS:
        wait_for(f"{name} to trust the new root", lambda: events(world, name, "root.succeeded"))
    assert left(world) > 0  # they have not said so yet
    assert "would have to be enrolled again" in root(world, "retire", good=False)


def main():
    world = World(sys.argv[1], agents=AGENTS)
    echo = EchoServer()
    try:
        for name in AGENTS:
            with open(world.dir / name / "agent.yaml", "a") as settings:
                settings.write(f"link: {{via: {'direct' if name == 'direct' else 'websocket'}}}\n")
            with open(world.dir / name / "policy.yaml", "a") as policy:
                policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{echo.port}"}}\n')
        start_pair(world)
        wait_for("two links of each agent", lambda: links(world) == 4)
        agents = ids(world)
        bulks = {name: Bulk(tunnel(world, agents[name], name, echo.port)) for name in AGENTS}
        accepted, stop = {}, threading.Event()
        starter = threading.Thread(target=start_jobs, args=(world, accepted, stop))
        starter.start()
        old_root = world.dir / "old-root.pem"
        old_root.write_bytes(world.root.read_bytes())
        rotate(world)
        assert serves(world, old_root) and serves(world, world.root)
        wait_for("both agents to say that they have followed", lambda: left(world) == 0, seconds=90)
        root(world, "retire")
        wait_for("the relay to retire the old root", lambda: events(world, "relay", "root.retired"))
        wait_for("the web edge without the old root", lambda: not serves(world, old_root) and serves(world, world.root))
        carried = {name: bulk.bytes for name, bulk in bulks.items()}
        wait_for("more bytes", lambda: all(bulk.bytes > carried[name] + (1 << 20) for name, bulk in bulks.items()))
        stop.set()
        starter.join()
        total = sum(bulk.bytes for bulk in bulks.values())
        found = losses(world, bulks, accepted)
        assert not found, "\n".join(found)
        assert links(world) == 4 and len(events(world, "relay", "link.up")) == 4

        # What they were given is good: they link with it, and the relay is believed by the new root alone.
        for name in AGENTS:
            world.kill(name)
            world.start(name)
        wait_for("the agents again", lambda: links(world) == 4 and len(events(world, "relay", "link.up")) == 8)

        # The control.
        bulk = Bulk(tunnel(world, agents["direct"], "control", echo.port))
        wait_for("bytes", lambda: bulk.bytes > 0)
        before = len(events(world, "relay", "link.lost"))
        world.kill("direct")
        found = losses(world, {"control": bulk}, {}, before)
        for what in ("the bytes are not", "link_lost", "a link was lost"):
            assert any(what in line for line in found), found

        # Its identity is gone, its journal is not: a string for it makes it itself again.
        (world.dir / "direct/state/identity").unlink()
        string = json.loads(world.run("sallyport", "agent", "reenrol", agents["direct"], "-o", "json"))["enrolment_string"]
        world.run("sallyport-agent", "enrol", "--config", world.dir / "direct", "-", stdin=string + "\n")
        world.start("direct")
        wait_for("the agent that was enrolled again", lambda: links(world) == 4)
        assert ids(world) == agents
    finally:
        world.close()
    print(f"root rotation: {total >> 20} MiB and {len(accepted)} jobs over four links meanwhile, direct and inside a WebSocket; none lost; an agent enrolled again is the same")


if __name__ == "__main__":
    main()
