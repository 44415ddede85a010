#!/usr/bin/env python3
"""One way out: an agent in a network from which one single destination can be reached, where one port of the relay serves people and agents.

one_port.py BIN
The agent's network namespace has one wire and one route, to the relay's address; everything else is a black hole (proved first). Through it the agent enrols,
links and runs a job, and an operator's CLI works. A client that offers no protocol of agents is not asked for a certificate; one that does is.
Exit code 77, and why, where namespaces cannot be made.
"""
import json
import pathlib
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("faults", "")]
from kill_loop import World  # noqa: E402
from support.cell import Cell  # noqa: E402
from tunnels import wait_for  # noqa: E402


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
