#!/usr/bin/env python3
"""Out of a network that inspects TLS: real programs behind a real intercepting proxy.

inspected_network.py BIN
mitmproxy opens every HTTPS connection and shows a certificate of its own. The agent enrols and links through it all the same, inside a WebSocket; jobs run
and a tunnel carries 16 MiB. What the proxy saw is kept and searched: no byte of the enrolment string's secret, no name of the agent, nothing but TLS inside
binary messages. That the proxy does read what is not protected is proved by a request made for that. An agent that may only go directly
gets no link, and says so.
"""
import base64
import json
import os
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import World, free_port  # noqa: E402
from tunnels import EchoServer, cli, transfer, tunnel, wait_for, wait_linked  # noqa: E402

TRANSFER = 16 << 20
SEEN = '''
import base64, json
def request(flow):
    keep({"request": flow.request.method + " " + flow.request.path, "port": flow.request.port, "headers": str(flow.request.headers)})
def response(flow):
    keep({"status": flow.response.status_code, "body": (flow.response.content or b"").decode("latin-1")})
def websocket_message(flow):
    message = flow.websocket.messages[-1]
    keep({"from_client": message.from_client, "binary": not message.is_text, "bytes": base64.b64encode(message.content).decode()})
    flow.websocket.messages.clear()
def keep(what):
    with open("%s", "a") as out:
        out.write(json.dumps(what) + "\\n")
'''


class InspectingProxy:
    def __init__(self, directory):
        self.seen = directory / "seen"
        self.port = free_port()
        (directory / "keep.py").write_text(SEEN % self.seen)
        words = ["mitmdump", "-q", "--listen-host", "127.0.0.1", "--listen-port", str(self.port), "--ssl-insecure", "--set", f"confdir={directory / 'mitm'}",
                 "-s", str(directory / "keep.py")]
        self.log = open(directory / "mitm.log", "wb")
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log, env={"PATH": os.environ["PATH"], "HOME": str(directory)})
        wait_for("the proxy", self.answers)

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def lines(self):
        return [json.loads(line) for line in self.seen.read_text().splitlines()] if self.seen.exists() else []

    def close(self):
        self.process.kill()
        self.process.wait()


def carried(lines):
    """The bytes of all messages, from the client and from the server."""
    return {way: b"".join(base64.b64decode(line["bytes"]) for line in lines if line.get("from_client") is way) for way in (True, False)}


def is_tls(bytes_):
    """Whole TLS records from the first byte on; the last one may be cut."""
    at = 0
    while at + 5 <= len(bytes_):
        kind, version, size = bytes_[at], bytes_[at + 1:at + 3], int.from_bytes(bytes_[at + 3:at + 5], "big")
        if kind not in (20, 21, 22, 23) or version[0] != 3 or size > (16 << 10) + 256:
            return False
        at += 5 + size
    return True


def words_of(string):
    """The secret parts of an enrolment string, raw and as text (docs/protocol.md P7.1)."""
    raw = base64.urlsafe_b64decode(string.removeprefix("spe1.") + "=" * (-len(string.removeprefix("spe1.")) % 4))
    secret = raw[32:64]
    return [secret, base64.b64encode(secret)[:40], base64.urlsafe_b64encode(secret)[:40], secret.hex().encode(), string[40:80].encode()]


def log_events(world, name):
    return [json.loads(line) for line in (world.dir / f"{name}.log").read_text().splitlines() if line.startswith("{")]


def enrol(world):
    """The string the agent was enrolled by."""
    world.run("sallyport", "group", "create", "dc1")
    string = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
    world.run("sallyport-agent", "enrol", "--config", world.dir / "agent", "-", stdin=string + "\n")
    return string


def run_job(world):
    world.run("sallyport", "recipes", "apply", "-f", world.dir / "recipe.yaml", "--activate")
    job = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": 1}, "event_key": "n1"})[1]["id"]
    wait_for("the job", lambda: world.read(f"/v1/jobs/{job}")["state"] == "succeeded")


def main():
    world = World(sys.argv[1])
    echo = EchoServer()
    proxy = InspectingProxy(world.dir)
    try:
        with open(world.dir / "agent/agent.yaml", "a") as settings:
            settings.write(f'proxy: {{url: "http://127.0.0.1:{proxy.port}"}}\n')
        with open(world.dir / "agent/policy.yaml", "a") as policy:
            policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{echo.port}"}}\n')
        world.start("relay")
        world.wait_ready()

        # The control: what is not protected, the proxy reads.
        page = subprocess.run(["curl", "-sk", "--proxy", f"http://127.0.0.1:{proxy.port}", "--noproxy", "", f"https://127.0.0.1:{world.api}/livez"],
                              capture_output=True, text=True, timeout=30, env={"PATH": os.environ["PATH"]})
        assert page.stdout == "ok\n", page
        wait_for("the proxy's notes", lambda: any(line.get("body") == "ok\n" for line in proxy.lines()))

        string = enrol(world)
        assert any(line.get("request") == "GET /v1/link" for line in proxy.lines()), proxy.lines()
        world.start("agent")
        wait_linked(world)

        port, told = tunnel(world, "echo", echo.port)
        assert told["reach"]["allowed"] and told["reach"]["answers"], told
        sent, got = transfer(port, TRANSFER)
        assert sent == got, "the bytes changed on the way"
        run_job(world)

        events = log_events(world, "agent")
        issuers = [event["issuer"] for event in events if event["event"] == "link.intercepted"]
        assert len(issuers) == 1 and "mitmproxy" in issuers[0], issuers
        assert [event["way"] for event in events if event["event"] == "link.way"] == ["websocket"], events

        lines = proxy.lines()
        everything = proxy.seen.read_bytes() + b"".join(carried(lines).values())
        agent = world.call("GET", "/v1/agents")[1]["items"][0]["id"]
        for word in [*words_of(string), agent.encode(), agent.removeprefix("agt_").encode()]:
            assert word not in everything, f"the proxy saw {word}"
        assert all(line["binary"] for line in lines if "from_client" in line)
        sessions = carried(lines)
        assert sum(map(len, sessions.values())) > 2 * TRANSFER
        assert is_tls(sessions[True][:1 << 16]) and is_tls(sessions[False][:1 << 16]), "something that is not TLS went through"

        # And the operator is told: linked, and who reads along; the direct way is no fault then.
        status = json.loads(world.run("sallyport-agent", "status", "--json", "--config", world.dir / "agent"))
        assert status["link"]["way"] == "websocket" and "mitmproxy" in status["link"]["inspector"], status
        report = json.loads(world.run("sallyport-agent", "doctor", "--json", "--config", world.dir / "agent"))
        told = {finding["check"]: finding for finding in report["findings"]}
        assert report["healthy"] and "request" not in report, report
        assert told["tls"]["verdict"] == "note" and "mitmproxy" in told["websocket"]["text"], report

        # Only directly: no link. The proxy's certificate is of a kind that the handshake does not even take.
        world.kill("agent")
        with open(world.dir / "agent/agent.yaml", "a") as settings:
            settings.write("link: {via: direct}\n")
        (world.dir / "agent.log").unlink()
        world.start("agent")
        wait_for("the refusal", lambda: any("TLS with" in event.get("problem", "") for event in log_events(world, "agent")))
        assert not any(event["event"] in ("link.up", "link.way") for event in log_events(world, "agent"))
    finally:
        proxy.close()
        world.close()
    print("inspected network: enrolled, linked, a job and 16 MiB through it; the proxy saw TLS only")


if __name__ == "__main__":
    main()
