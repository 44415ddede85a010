#!/usr/bin/env python3
"""Five thousand connections that say nothing, or half a word, at each door of a relay that is at work: a tunnel's entrance, the agents' port and the web API's.

half_open.py BIN [--plant-fault]
At a tunnel's entrance as many as one tunnel may have on an agent with one link are carried to its target and end by its idle limit; the others are refused. At the agents' port a third is silent, a third says half
a ClientHello, and a third a whole one and nothing more. Meanwhile another tunnel's open connection, through the same agent, answers and it takes new ones, the agent's link stays, another agent links, the API
answers. Afterwards those at the entrance and the agents' port were closed by the relay, every connection to the tunnel is accounted for by its reason, the crowd's place is free again, and a
second crowd costs no memory that the first had not.
--plant-fault kills the agent while the crowd is there, and succeeds only if that is found. Exit code 77, and why, where so many files cannot be open.
"""
import collections
import contextlib
import pathlib
import re
import resource
import select
import signal
import socket
import sqlite3
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from kill_loop import World, free_port, start_pair, tell  # noqa: E402
from tunnels import EchoServer, cli, linked, wait_for, wait_linked  # noqa: E402

CROWD = 5000
CARRIED = 875  # of the 1,000 places of the agent's link; a few fewer while others have theirs
PER_ADDRESS = 125
IDLE = 3  # seconds
GONE_WITHIN = 60
MOST_GROWTH = 16 << 10  # KiB of resident memory, by a second crowd at the entrance
MOST_FOR_A_CROWD = 256 << 10  # of the relay, while there is one at each of the other doors


def client_hello():
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["sallyport/1"])
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(coming, going, server_hostname="relay.test").do_handshake()
    return going.read()


def crowd(port, says=(b"",)):
    """Connections of forty addresses; each says one of these and nothing more."""
    held = []
    for n in range(CROWD):
        one = socket.socket()
        one.bind((f"127.0.2.{1 + n // PER_ADDRESS}", 0))
        held.append(one)
        with contextlib.suppress(ConnectionError):
            one.connect(("127.0.0.1", port))
            one.sendall(says[n % len(says)])
    return held


def wait_closed(held):
    """Until the relay has ended every one of them."""
    waiting, poll = {one.fileno(): one for one in held}, select.poll()
    for one in held:
        one.setblocking(False)
        poll.register(one, select.POLLIN)
    deadline = time.monotonic() + GONE_WITHIN
    while waiting and time.monotonic() < deadline:
        for number, _ in poll.poll(500):
            try:
                ended = not waiting[number].recv(4096)
            except ConnectionError:
                ended = True
            if ended:
                poll.unregister(number)
                waiting.pop(number)
    for one in held:
        one.close()
    assert not waiting, f"{len(waiting)} of {len(held)} silent connections are still open"


def resident(world, name):
    status = pathlib.Path(f"/proc/{world.processes[name].pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def measures_memory(world):
    """A program that ThreadSanitizer watches has memory of its own for all that it saw."""
    return b"__tsan_init" not in (world.bin / "sallyport-relay").read_bytes()


def answers(client, text=b"still here"):
    client.settimeout(30)
    client.sendall(text)
    return client.recv(64) == text


def carries(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as client:
        return answers(client)


class Bystanders:
    """What must not notice: an open connection of another tunnel, that tunnel, the agent's link, the API."""

    def __init__(self, world, port):
        self.world, self.port = world, port
        self.open = socket.create_connection(("127.0.0.1", port))
        assert answers(self.open)

    def look(self):
        assert answers(self.open), "a connection that was open before"
        with socket.create_connection(("127.0.0.1", self.port)) as another:
            assert answers(another), "a new connection of another tunnel"
        assert "link.lost" not in (self.world.dir / "agent.log").read_text(), "the agent's link"


def accounted(world):
    """{end: how many} of the crowded tunnel's access records, once the relay has written all of them: it is told to stop."""
    tunnel = world.read("/v1/tunnels?name=crowded")["items"][0]["id"]
    world.processes["relay"].send_signal(signal.SIGTERM)
    assert world.processes["relay"].wait(timeout=60) == 0
    with contextlib.closing(sqlite3.connect(world.dir / "relay/relay.db")) as db:
        records = db.execute("select end_reason, detail from tunnel_connections where tunnel = ?", (tunnel,)).fetchall()
    ends = collections.Counter()
    for end, detail in records:
        many = re.match(r"(\d+) more connections", detail or "")
        ends[end] += int(many[1]) if many else 1
    return ends


def at_an_entrance(world, by, port):
    """KiB grown, and how often more than the crowds asked to be carried."""
    grown, asked = [], 0

    def carried():
        nonlocal asked
        asked += 1
        return carries(port)

    for _ in range(2):
        before = resident(world, "relay"), resident(world, "agent")
        held = crowd(port)
        by.look()
        wait_closed(held)
        wait_for("the tunnel that was crowded", carried)
        grown.append((resident(world, "relay") - before[0], resident(world, "agent") - before[1]))
    assert max(grown[1]) < MOST_GROWTH or not measures_memory(world), grown
    return grown, asked


def planted_fault_is_found(world, by, port):
    held = crowd(port)
    world.kill("agent")
    try:
        by.look()
        return False
    except (AssertionError, OSError) as fault:
        print(f"planted fault found: {fault!r}")
        return True
    finally:
        for one in held:
            one.close()


def at_the_other_doors(world, by):
    """Agents' and people's at once. What says nothing at people's may stay a while longer there."""
    hello = client_hello()
    before = resident(world, "relay")
    people = crowd(world.api)
    agents = crowd(link_port(world), (b"", hello[:len(hello) // 2], hello))
    by.look()
    wait_for("an answer of the API", lambda: answered(world))
    world.start("second")
    wait_for("another agent's link", lambda: len(linked(world)) == 2)
    grown = resident(world, "relay") - before
    assert grown < MOST_FOR_A_CROWD or not measures_memory(world), grown
    wait_closed(agents)
    by.look()
    for one in people:
        one.close()
    assert answered(world)
    return grown


def answered(world):
    with contextlib.suppress(OSError):
        return world.call("GET", "/v1/tunnels")[0] == 200


def link_port(world):
    return int(re.search(r"link:.*?listen:\s*\"?[\d.]+:(\d+)", (world.dir / "relay/relay.yaml").read_text(), re.DOTALL)[1])


def main():
    planted = "--plant-fault" in sys.argv
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 19_000:
        print(f"this shell may have {hard} files open: too few for such a crowd and a relay with room for it")
        return 77
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * CROWD + 2000, hard))
    world = World(sys.argv[1], agents=("agent", "second"))
    echo = EchoServer()
    try:
        for agent in world.agents:
            with open(world.dir / agent / "policy.yaml", "a") as policy:
                policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{echo.port}"}}\n')
            with open(world.dir / agent / "agent.yaml", "a") as settings:
                settings.write("link: {count: 1}\n")
        world.env["ASAN_OPTIONS"] = "quarantine_size_mb=4"
        start_pair(world, started=("agent",))
        wait_linked(world)
        ports = {name: free_port() for name in ("crowded", "calm")}
        for name, more in (("crowded", ("--connections", 1000, "--idle", f"{IDLE}s")), ("calm", ())):
            cli(world, "tunnel", "create", name, "--group", "dc1", "--target", f"127.0.0.1:{echo.port}", "--listen", f"127.0.0.1:{ports[name]}", *more)
        by = Bystanders(world, ports["calm"])
        if planted:
            return 0 if planted_fault_is_found(world, by, ports["crowded"]) else 1
        entrance, asked = at_an_entrance(world, by, ports["crowded"])
        doors = at_the_other_doors(world, by)
        ends = accounted(world)
        assert set(ends) == {"idle", "too_many", "finished"} and ends.total() == 2 * CROWD + asked, (ends, asked)
        assert ends["finished"] == 2 and ends["idle"] >= 2 * (CARRIED - 5), ends  # more where the crowd took longer to come than the first of it may be idle
    except (AssertionError, OSError) as fault:
        tell(world, [str(fault)])
        raise
    finally:
        world.close()
    print(f"half open: {CROWD} silent connections at each door, nobody else disturbed; KiB grown at the entrance (relay, agent) {entrance}, at the other doors (relay) {doors}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
