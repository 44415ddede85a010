#!/usr/bin/env python3
"""One way out: an agent in a network from which one single destination can be reached, where one port of the relay serves people and agents.

one_port.py BIN
The agent's network namespace has one wire and one route, to the relay's address; everything else is a black hole (proved first). Through it the agent enrols,
links and runs a job, and an operator's CLI works. A client that offers no protocol of agents is not asked for a certificate; one that does is.
Exit code 77, and why, where namespaces cannot be made.
"""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import World, free_port  # noqa: E402
from tunnels import wait_for  # noqa: E402


def ip(*words):
    return subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, timeout=30)


class Cell:
    """A network namespace with one wire out of it; the relay is at the other end."""

    def __init__(self):
        tag = os.getpid() % 60000
        self.name = f"sp{tag}"
        self.relay, inside = (f"10.{net}.{tag // 250}.{tag % 250 + 1}" for net in (213, 214))
        steps = [("netns", "add", self.name), ("link", "add", f"{self.name}a", "type", "veth", "peer", "name", f"{self.name}b"),
                 ("link", "set", f"{self.name}b", "netns", self.name), ("addr", "add", f"{self.relay}/32", "dev", f"{self.name}a"),
                 ("link", "set", f"{self.name}a", "up"), ("route", "add", f"{inside}/32", "dev", f"{self.name}a", "src", self.relay)]
        steps += [("-n", self.name, *words) for words in (
            ("link", "set", "lo", "up"), ("addr", "add", f"{inside}/32", "dev", f"{self.name}b"), ("link", "set", f"{self.name}b", "up"),
            ("route", "add", f"{self.relay}/32", "dev", f"{self.name}b", "src", inside), ("route", "add", "blackhole", "default"))]
        for step in steps:
            if (done := ip(*step)).returncode != 0:
                self.close()
                print(f"SKIPPED: no network namespace here: ip {' '.join(step)}: {done.stderr.strip()}", flush=True)
                raise SystemExit(77)

    def inside(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def close(self):
        ip("link", "del", f"{self.name}a")
        ip("netns", "del", self.name)


class OnePort(World):
    """A relay with one port; the agent and the operator are in the cell."""

    def __init__(self, binaries, cell):
        self.cell = cell
        super().__init__(binaries)
        self.env["SALLYPORT_RELAY"] = f"https://{cell.relay}:{self.api}"

    def run(self, program, *words, stdin=None):
        words = [*map(str, words)]
        if words[0] == "init":
            outside = f"{self.cell.relay}:{self.api}"
            words[words.index("--api") + 1] = words[words.index("--link") + 1] = f"0.0.0.0:{self.api}"
            words += ["--api-url", f"https://{outside}", "--link-address", outside, "--name", "127.0.0.1"]
        command = [self.bin / program, *words] if program == "sallyport-relay" else self.cell.inside(self.bin / program, *words)
        done = subprocess.run(command, input=stdin, env=getattr(self, "env", None), text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, f"{program} {words[0]}: {done.stderr}"
        return done.stdout

    def start_agent(self):
        log = open(self.dir / "agent.log", "ab")
        command = self.cell.inside(self.bin / "sallyport-agent", "run", "--config", self.dir / "agent")
        self.processes["agent"] = subprocess.Popen(command, stdout=log, stderr=log, env=self.env)

    def greet(self, *protocol):
        """What OpenSSL's client tells of a handshake from inside the cell."""
        words = self.cell.inside("openssl", "s_client", "-connect", f"{self.cell.relay}:{self.api}", "-CAfile", self.root, *protocol)
        done = subprocess.run(words, input="", capture_output=True, text=True, timeout=30)
        return done.stdout + done.stderr


def main():
    cell = Cell()
    try:
        world = OnePort(sys.argv[1], cell)
        try:
            world.start("relay")
            world.wait_ready()
            for elsewhere in ("198.51.100.1", "127.0.0.1"):  # a route there is none to, and nobody who listens
                unreachable = subprocess.run(cell.inside("curl", "-sk", "-m", "5", f"https://{elsewhere}:{world.api}/livez"), timeout=30)
                assert unreachable.returncode != 0, f"{elsewhere} can be reached from the cell"

            world.run("sallyport", "group", "create", "dc1")
            string = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
            world.run("sallyport-agent", "enrol", "--config", world.dir / "agent", "-", stdin=string + "\n")
            world.start_agent()
            wait_for("the agent's link", lambda: any(agent["link"] for agent in world.call("GET", "/v1/agents")[1]["items"]))
            ways = [json.loads(line)["way"] for line in (world.dir / "agent.log").read_text().splitlines() if '"link.way"' in line]
            assert ways == ["direct"], ways
            world.run("sallyport", "recipes", "apply", "-f", world.dir / "recipe.yaml", "--activate")
            job = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": 1}, "event_key": "n1"})[1]["id"]
            wait_for("the job", lambda: world.read(f"/v1/jobs/{job}")["state"] == "succeeded")

            for offer in ((), ("-alpn", "http/1.1"), ("-alpn", "h2,http/1.1")):
                told = world.greet(*offer)
                assert "Requested Signature Algorithms" not in told and "Verify return code: 0" in told, told
            told = world.greet("-alpn", "sallyport/1")
            assert "Requested Signature Algorithms" in told or "certificate required" in told, f"positive control: an agent is asked: {told}"
        finally:
            world.close()
    finally:
        cell.close()
    print("one port: enrolled, linked, a job and the CLI through the only destination there is; nobody else is asked for a certificate")


if __name__ == "__main__":
    main()
