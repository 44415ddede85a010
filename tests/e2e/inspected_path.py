#!/usr/bin/env python3
"""Out of a network where an inspecting box stands in the path itself: no proxy is configured, and whoever dials the relay gets the box.

inspected_path.py BIN
mitmproxy answers in the relay's place (its reverse mode), on the link's port and on the web API's, and opens TLS on both. The agent meets it on its direct way,
says whose certificate that was, and enrols, links, runs a job and carries a tunnel inside a WebSocket through the same box. Then the box lets no WebSocket
through: the agent gets no link by either way, says why of each, and is back by itself when the box lets it.
"""
import json
import os
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from inspected_network import enrol, log_events, run_job  # noqa: E402
from kill_loop import World, free_port  # noqa: E402
from tunnels import EchoServer, tunnel, wait_for, wait_linked  # noqa: E402

GATE = '''
import pathlib
from mitmproxy import http
def request(flow):
    if pathlib.Path("%s").exists() and "upgrade" in flow.request.headers.get("connection", "").lower():
        flow.response = http.Response.make(403, b"<html>not here</html>", {"content-type": "text/html"})
'''


class Box:
    """One address of the relay, opened and closed again on the way."""

    def __init__(self, directory, target):
        self.port = free_port()
        self.log = open(directory / f"box{target}.log", "wb")
        (directory / "gate.py").write_text(GATE % (directory / "closed"))
        words = ["mitmdump", "-q", "--mode", f"reverse:https://127.0.0.1:{target}", "--listen-host", "127.0.0.1", "--listen-port", str(self.port), "--ssl-insecure",
                 "--set", f"confdir={directory / 'mitm'}", "-s", str(directory / "gate.py")]
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log, env={"PATH": os.environ["PATH"], "HOME": str(directory)})
        wait_for("the box", lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)

    def close(self):
        self.process.kill()
        self.process.wait()


def link_port(world):
    lines = (world.dir / "relay/relay.yaml").read_text().splitlines()
    return next(int(line.rsplit(":", 1)[1].strip(' "')) for line in lines if "127.0.0.1:" in line and str(world.api) not in line)


def main():
    world = World(sys.argv[1])
    echo = EchoServer()
    boxes = [Box(world.dir, link_port(world)), Box(world.dir, world.api)]
    try:
        with open(world.dir / "agent/agent.yaml", "a") as settings:
            settings.write(f'relay: "127.0.0.1:{boxes[0].port}"\nlink: {{web: "https://127.0.0.1:{boxes[1].port}"}}\nproxy: {{mode: direct}}\n')
        with open(world.dir / "agent/policy.yaml", "a") as policy:
            policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{echo.port}"}}\n')
        world.start("relay")
        world.wait_ready()
        shown = subprocess.run(["curl", "-skv", f"https://127.0.0.1:{boxes[1].port}/livez"], capture_output=True, text=True, timeout=30)
        assert shown.stdout == "ok\n" and "mitmproxy" in shown.stderr, "the control: the box reads what is not protected"

        enrol(world)
        world.start("agent")
        wait_linked(world)
        events = log_events(world, "agent")
        assert [event["way"] for event in events if event["event"] == "link.way"] == ["websocket"], events
        assert ["mitmproxy" in event["issuer"] for event in events if event["event"] == "link.intercepted"] == [True], events
        port, _ = tunnel(world, "echo", echo.port)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            run_job(world)
            client.sendall(b"still here")
            assert client.recv(64) == b"still here"

        # Neither way any more.
        (world.dir / "closed").touch()
        world.kill("agent")
        (world.dir / "agent.log").unlink()
        world.start("agent")

        def told():
            return [event["problem"] for event in log_events(world, "agent") if event["event"] == "link.attempt_failed"]

        wait_for("a record of both ways", lambda: any("direct way: TLS with" in text and "websocket way:" in text and "403" in text for text in told()))
        report = subprocess.run([world.bin / "sallyport-agent", "doctor", "--json", "--config", world.dir / "agent"], env=world.env, capture_output=True, text=True, timeout=120)
        findings = {finding["check"]: finding for finding in json.loads(report.stdout)["findings"]}
        assert findings["tls"]["verdict"] == findings["websocket"]["verdict"] == "bad" and "403" in findings["websocket"]["text"], findings
        (world.dir / "closed").unlink()
        wait_linked(world)
        run_job_again(world)
    finally:
        for box in boxes:
            box.close()
        world.close()
    print("inspected path: linked inside a WebSocket through the box; without WebSockets both ways are a clear record, and the agent came back by itself")


def run_job_again(world):
    job = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": 2}, "event_key": "n2"})[1]["id"]
    wait_for("the job", lambda: world.read(f"/v1/jobs/{job}")["state"] == "succeeded")


if __name__ == "__main__":
    main()
