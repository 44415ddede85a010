#!/usr/bin/env python3
"""The agent's way out through HTTP proxies: a real squid with passwords, and others that answer nonsense.

proxies.py BIN
Through squid, which wants a user and a password and lets CONNECT through to the relay's ports only: enrolment, link and a job, with the login of the configuration and
of HTTPS_PROXY and ALL_PROXY; what NO_PROXY names goes past it (seen in squid's own log). A wrong or missing login, a relay behind the proxy that is down, a proxy that
answers 502, a login page or nothing, and a SOCKS URL: each leaves one clear record in the agent's log, the doctor names it, and no password is in any of them. When the
proxy is well again the agent is linked by itself.
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from inspected_network import log_events, run_job  # noqa: E402
from kill_loop import World, free_port  # noqa: E402
from tunnels import wait_for, wait_linked  # noqa: E402

USER, PASSWORD = "agent@dc1", "open sesame:100%"
LOGIN = "agent%40dc1:open%20sesame%3A100%25"
RECOVERY = 15  # seconds from a proxy that is well again to the link
SQUID = """
http_port 127.0.0.1:{port}
pid_filename {dir}/pid
cache_log {dir}/cache.log
access_log stdio:{dir}/access.log
coredump_dir {dir}
cache deny all
shutdown_lifetime 0 seconds
auth_param basic program {helper} {dir}/passwords
auth_param basic credentialsttl 1 second
acl known proxy_auth REQUIRED
acl relay port {ports}
acl CONNECT method CONNECT
http_access deny !CONNECT
http_access deny !relay
http_access allow known
http_access deny all
"""


class Squid:
    """Drops to the package's user when root starts it."""

    def __init__(self, directory, ports):
        self.port = free_port()
        self.dir = directory / "squid"
        self.dir.mkdir()
        hashed = subprocess.run(["openssl", "passwd", "-apr1", "-stdin"], input=PASSWORD + "\n", capture_output=True, text=True, check=True).stdout.strip()
        (self.dir / "passwords").write_text(f"{USER}:{hashed}\n")
        helper = next(path for path in ("/usr/lib/squid/basic_ncsa_auth", "/usr/lib64/squid/basic_ncsa_auth") if pathlib.Path(path).exists())
        (self.dir / "conf").write_text(SQUID.format(port=self.port, dir=self.dir, helper=helper, ports=" ".join(map(str, ports))))
        if os.geteuid() == 0:
            shutil.chown(self.dir, "proxy", "proxy")
        self.start()

    def start(self):
        program = shutil.which("squid") or "/usr/sbin/squid"
        self.process = subprocess.Popen([program, "-N", "-f", self.dir / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
        wait_for("squid", lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)

    def tunnels(self):
        """What it let through: lines of its log are written at a tunnel's end."""
        log = self.dir / "access.log"
        return [line for line in (log.read_text() if log.exists() else "").splitlines() if "TCP_TUNNEL/200" in line]

    def stop(self):
        self.process.kill()
        self.process.wait()


class FalseProxy:
    """Answers whatever it is told, and passes CONNECT on to `relay` once it is well."""

    def __init__(self, port, relay):
        self.relay, self.answer = relay, b""
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, contextlib.suppress(OSError):
            request = client.recv(4096)
            if self.answer is not None:
                client.sendall(self.answer)
                client.recv(4096)
                return
            port = int(request.split(b" ")[1].rsplit(b":", 1)[1])
            with socket.create_connection(("127.0.0.1", port)) as relay:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=self.pump, args=(relay, client), daemon=True)
                back.start()
                self.pump(client, relay)
                back.join()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


class Proxied(World):
    def configure(self, proxy):
        text = (self.dir / "agent/agent.yaml").read_text().splitlines()
        lines = [line for line in text if not line.startswith("proxy:")]
        (self.dir / "agent/agent.yaml").write_text("\n".join([*lines, *([f"proxy: {proxy}"] if proxy else []), ""]))

    def restart_agent(self, proxy=None, **environment):
        """A fresh agent with a fresh log, with that configuration and that environment."""
        if "agent" in self.processes:
            self.kill("agent")
        wait_for("the end of the link", lambda: not any(agent["link"] for agent in self.call("GET", "/v1/agents")[1]["items"]))
        self.configure(proxy)
        (self.dir / "agent.log").unlink(missing_ok=True)
        before, self.env = self.env, {**{k: v for k, v in self.env.items() if k.lower() not in ("no_proxy", "https_proxy", "all_proxy")}, **environment}
        self.start("agent")
        self.agents_env, self.env = self.env, before

    def problem(self, fragment):
        """The record of a failed attempt with those words. However often the agent tried it is there once, and once more when it has tried the other way as well."""
        def found():
            return [event["problem"] for event in log_events(self, "agent") if event["event"] == "link.attempt_failed" and fragment in event["problem"]]
        wait_for(f"a record of: {fragment}", found)
        assert len(found()) == len(set(found())) <= 2, found()

    def doctor(self):
        done = subprocess.run([self.bin / "sallyport-agent", "doctor", "--json", "--config", self.dir / "agent"], env=self.agents_env, capture_output=True, text=True, timeout=120)
        return json.loads(done.stdout)

    def ask_doctor(self, verdict, fragment):
        report = self.doctor()
        texts = [finding["text"] for finding in report["findings"] if finding["check"] == "proxy" and finding["verdict"] == verdict]
        assert any(fragment in text for text in texts), report
        return report


def good_logins(world, squid):
    """Each way to name the proxy and its login; and what names no proxy for the relay."""
    url = f"http://{LOGIN}@127.0.0.1:{squid.port}"
    configured = f'{{url: "http://127.0.0.1:{squid.port}", user: "{USER}", password_file: proxy.password}}'
    for proxy, environment, by_squid in ((configured, {}, True), (configured, {"NO_PROXY": "*"}, True), (None, {"HTTPS_PROXY": url}, True), (None, {"ALL_PROXY": url}, True),
                                         (None, {"HTTPS_PROXY": url, "NO_PROXY": "127.0.0.0/8"}, False), (None, {"all_proxy": url, "no_proxy": "*"}, False),
                                         ("{mode: direct}", {"HTTPS_PROXY": url}, False)):
        so_far = len(squid.tunnels())
        world.restart_agent(proxy, **environment)
        wait_linked(world)
        ways = [event["way"] for event in log_events(world, "agent") if event["event"] == "link.way"]
        assert ways == ["direct"], (world.dir / "agent.log").read_text()
        if proxy is configured and not environment:
            report = world.ask_doctor("good", f"through the HTTP proxy 127.0.0.1:{squid.port} (agent.yaml, with a login)")
            assert report["healthy"] and PASSWORD not in json.dumps(report), report
        world.kill("agent")
        if by_squid:
            wait_for("squid's record", lambda: len(squid.tunnels()) > so_far)
            assert USER in squid.tunnels()[-1].replace("%40", "@"), squid.tunnels()[-1]
        else:
            time.sleep(0.2)  # nothing may come
            assert len(squid.tunnels()) == so_far, squid.tunnels()
        world.processes.pop("agent")


def refusals(world, squid):
    at = f"127.0.0.1:{squid.port}"
    for login, fragment in (("", f"proxy {at} refused CONNECT with 407: it wants a user and a password"), ("agent%40dc1:guessed-secret@", f"proxy {at} refused CONNECT with 407")):
        world.restart_agent(None, HTTPS_PROXY=f"http://{login}{at}")
        world.problem(fragment)
        world.ask_doctor("bad", "407")
    squid.stop()
    world.restart_agent(None, HTTPS_PROXY=f"http://{LOGIN}@{at}")
    world.problem(f"the HTTP proxy: connecting to {at}: 127.0.0.1: Connection refused")
    squid.start()
    begun = time.monotonic()
    wait_linked(world)
    assert time.monotonic() - begun < RECOVERY, "a proxy that is back"
    world.kill("relay")
    world.problem(f"proxy {at} refused CONNECT with 503: it could not reach the relay")
    world.start("relay")
    world.wait_ready()
    begun = time.monotonic()
    wait_linked(world)
    assert time.monotonic() - begun < RECOVERY, "a relay that is back"


def nonsense(world):
    port = free_port()
    proxy = FalseProxy(port, world.api)
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Please log in to the guests' network</html>"
    for answer, fragment in ((b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>no</html>", f"proxy 127.0.0.1:{port} refused CONNECT with 502: it could not reach the relay"),
                             (b"<html><body>Welcome</body></html>", f'127.0.0.1:{port} does not answer like an HTTP proxy: "<html><body>Welcome'),
                             (page, f"proxy 127.0.0.1:{port} sent {len(page) - page.index(b'<html>')} bytes of its own into the tunnel")):
        proxy.answer = answer
        world.restart_agent(f'{{url: "http://127.0.0.1:{port}"}}')
        world.problem(fragment)
        if answer.startswith(b"HTTP/1.1 502"):
            proxy.answer = None
            begun = time.monotonic()
            wait_linked(world)
            assert time.monotonic() - begun < RECOVERY, "a proxy that is well again"
    proxy.close()
    world.restart_agent(None, ALL_PROXY=f"socks5h://{LOGIN}@127.0.0.1:{port}")
    world.problem("ALL_PROXY of the environment: SOCKS proxies are not spoken to; give the URL of an http:// one")
    world.ask_doctor("bad", "SOCKS")


def main():
    world = Proxied(sys.argv[1])
    settings = (world.dir / "relay/relay.yaml").read_text()
    link = next(int(line.rsplit(":", 1)[1].strip(' "')) for line in settings.splitlines() if "127.0.0.1:" in line and str(world.api) not in line)
    squid = Squid(world.dir, (world.api, link))
    try:
        (world.dir / "agent/proxy.password").write_text(PASSWORD + "\n")
        (world.dir / "agent/proxy.password").chmod(0o600)
        world.configure(f'{{url: "http://127.0.0.1:{squid.port}", user: "{USER}", password_file: proxy.password}}')
        world.start("relay")
        world.wait_ready()
        world.run("sallyport", "group", "create", "dc1")
        string = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
        world.run("sallyport-agent", "enrol", "--config", world.dir / "agent", "-", stdin=string + "\n")
        wait_for("squid's record of the enrolment", squid.tunnels)
        world.start("agent")
        wait_linked(world)
        run_job(world)
        said = []
        for scene in (lambda: good_logins(world, squid), lambda: refusals(world, squid), lambda: nonsense(world)):
            scene()
            said.append((world.dir / "agent.log").read_text())
        for secret in (PASSWORD, "sesame", "guessed-secret"):
            assert secret not in "".join(said), "a password is in the agent's log"
    finally:
        squid.stop()
        world.close()
    print("proxies: through squid by each way to name it, past it where told so, and each bad one is a clear record")


if __name__ == "__main__":
    main()
