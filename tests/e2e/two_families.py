#!/usr/bin/env python3
"""A relay whose name has an IPv6 and an IPv4 address, of which one swallows everything, and whose name leads elsewhere later.

two_families.py BIN
The agent is in a network namespace and looks the relay's name up in a hosts file of its own. One address of the name is a black hole (proved with curl):
enrolment and link come by the other one, whichever family that is, and the doctor names both. Then the name is given the other address, and the one in use
becomes the hole: the agent is linked again, by the new address, without a restart.
Exit code 77, and why, where namespaces cannot be made.
"""
import json
import pathlib
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("faults", "")]
from kill_loop import World  # noqa: E402
from support.cell import Cell  # noqa: E402
from tunnels import wait_for  # noqa: E402

NAME = "relay.test"
SOON = 10  # seconds for the first link; an address that hangs may cost a quarter of a second for each of its connections


class Family(World):
    """The relay listens on both families; the agent and the operator are in the cell."""

    def __init__(self, binaries, cell):
        self.cell = cell
        super().__init__(binaries)
        self.hosts = self.dir / "hosts"
        self.env["SALLYPORT_RELAY"] = f"https://{NAME}:{self.api}"

    def run(self, program, *words, stdin=None):
        words = [*map(str, words)]
        if words[0] == "init":
            outside = f"{NAME}:{self.api}"
            words[words.index("--api") + 1] = words[words.index("--link") + 1] = f"[::]:{self.api}"
            words += ["--api-url", f"https://{outside}", "--link-address", outside, "--name", "127.0.0.1"]
        done = subprocess.run(self.command(program, *words), input=stdin, env=getattr(self, "env", None), text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, f"{program} {words[0]}: {done.stderr}"
        return done.stdout

    def command(self, program, *words):
        if program == "sallyport-relay":
            return [self.bin / program, *words]
        return self.cell.inside_with_hosts(self.hosts, self.bin / program, *words)

    def start_agent(self):
        log = open(self.dir / "agent.log", "ab")
        self.processes["agent"] = subprocess.Popen(self.command("sallyport-agent", "run", "--config", self.dir / "agent"), stdout=log, stderr=log, env=self.env)

    def lead_to(self, *addresses):
        self.hosts.write_text("".join(f"{address} {NAME}\n" for address in ("127.0.0.1 localhost\n", *addresses)))

    def reachable(self, address):
        at = f"[{address}]" if ":" in address else address
        return subprocess.run(self.cell.inside("curl", "-sk", "-m", "3", f"https://{at}:{self.api}/livez"), capture_output=True, timeout=30).returncode == 0

    def links(self):
        """The addresses that links of the agent came from, in order."""
        events = [json.loads(line) for line in (self.dir / "relay.log").read_text().splitlines() if line.startswith("{")]
        return [event["address"].rsplit(":", 1)[0] for event in events if event["event"] == "link.up"]


def inside_of(cell, relay):
    return cell.inside6 if ":" in relay else cell.inside4


def one_way(binaries, cell, open_, hole):
    """Everything by `open_`, with `hole` swallowing; then the other way round, by the name alone."""
    world = Family(binaries, cell)
    try:
        world.start("relay")
        world.wait_ready()
        world.lead_to(hole, open_)
        assert world.reachable(hole) and world.reachable(open_), "the control: without a hole both lead to the relay"
        cell.swallow(hole)
        assert not world.reachable(hole) and world.reachable(open_)

        world.run("sallyport", "group", "create", "dc1")
        string = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
        world.run("sallyport-agent", "enrol", "--config", world.dir / "agent", "-", stdin=string + "\n")
        begun = time.monotonic()
        world.start_agent()
        wait_for("the link", lambda: world.links())
        took = time.monotonic() - begun
        assert took < SOON, f"the first link took {took:.1f} s"
        assert inside_of(cell, open_) in world.links()[0], world.links()

        report = json.loads(world.run("sallyport-agent", "doctor", "--json", "--config", world.dir / "agent"))
        routes = {finding["text"]: finding["verdict"] for finding in report["findings"] if finding["check"] == "route"}
        assert report["healthy"] and len(routes) == 2, report
        assert any(hole in text and "no answer" in text and verdict == "note" for text, verdict in routes.items()), routes
        assert any(open_ in text and verdict == "good" for text, verdict in routes.items()), routes

        # The relay moves: its old address is dead, and the name says so.
        so_far = len(world.links())
        cell.restore(hole)
        cell.swallow(open_)
        world.lead_to(hole)
        wait_for("a link by the new address", lambda: any(inside_of(cell, hole) in address for address in world.links()[so_far:]))
    finally:
        world.close()
        cell.restore(open_)
        cell.restore(hole)


def main():
    cell = Cell()
    try:
        one_way(sys.argv[1], cell, open_=cell.relay, hole=cell.relay6)
        one_way(sys.argv[1], cell, open_=cell.relay6, hole=cell.relay)
    finally:
        cell.close()
    print("two families: linked by the address that answers, and by the one that the name has now")


if __name__ == "__main__":
    main()
