#!/usr/bin/env python3
"""Real programs through `sallyport tunnel open`, and ssh and iperf3 through both kinds of entrance.

workstation.py BIN
psql, ssh, curl and iperf3 as one-liners; a transfer arrives whole in both directions; ends and resets of either side are passed on; access by role and
token; what cuts a session: a revoked token, a pause, a change of who may use it; a workstation, an agent or a relay that is killed leaves a right access record, and a relay that
comes back is found again; a relay that is told to stop lets what is under way end, and cuts the rest after its drain time.
"""
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from tunnels import TRANSFER, EchoServer, WebServer, cli, ends, is_reset, stored_open, transfer, wait_for, wait_linked  # noqa: E402
from kill_loop import Postgres, World, free_port, start_pair  # noqa: E402


class Sshd:
    """A real sshd on a loopback port, with a host key and a user's key of its own; nobody else's settings are read."""

    def __init__(self, folder):
        self.folder = folder / "ssh"
        self.folder.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        shutil.copy(self.folder / "user.pub", self.folder / "authorized")
        self.port = free_port()
        settings = self.folder / "sshd_config"
        settings.write_text(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nAuthorizedKeysFile {self.folder}/authorized\n"
                            f"PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # sshd's, where nobody is at home
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", settings], stderr=subprocess.DEVNULL)
        wait_for("sshd", lambda: accepts(self.port))

    def client(self, host, port):
        known = self.folder / "known"
        return ["ssh", "-F", "none", "-i", self.folder / "user", "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes",
                "-p", port, f"root@{host}" if os.geteuid() == 0 else host]

    def close(self):
        self.process.kill()
        self.process.wait()


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except ConnectionRefusedError:
        return False


class Opened:
    """A running `sallyport tunnel open`."""

    def __init__(self, world, name, *words, env=None):
        self.process = subprocess.Popen([world.bin / "sallyport", "tunnel", "open", name, "-o", "json", *words], env=env or world.env,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        assert ready, "it did not say where it listens"
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.told = json.loads(line)
        self.port = self.told["port"]

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port))

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.result()

    def result(self):
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


def one_liner(world, name, *words):
    done = subprocess.run([world.bin / "sallyport", "tunnel", "open", name, "--", *map(str, words)], env=world.env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{name}: {done.returncode} {done.stdout} {done.stderr}"
    return done.stdout


def say_and_hear(client, text):
    client.sendall(text)
    client.settimeout(30)
    assert client.recv(64) == text


def make(world, name, target, *more):
    return cli(world, "tunnel", "create", name, "--group", "dc1", "--target", f"127.0.0.1:{target}", *more)


def real_programs(world, sshd, web):
    psql = next(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"))
    make(world, "db", world.server.port)
    rows = one_liner(world, "db", psql, "-h", "{host}", "-p", "{port}", "-U", "postgres", "-XAtqc", "select count(*), sum(n) from generate_series(1, 100000) n")
    assert rows == "100000|5000050000\n", rows
    make(world, "web", web.server_port)
    page = one_liner(world, "web", "curl", "-sS", "--noproxy", "*", "http://{host}:{port}/")
    assert "<html" in page.lower(), page
    port = free_port()
    make(world, "ssh", sshd.port, "--listen", f"127.0.0.1:{port}")
    assert one_liner(world, "ssh", *sshd.client("{host}", "{port}"), "echo here").strip() == "here"
    (sshd.folder / "known").unlink()
    done = subprocess.run([*map(str, sshd.client("127.0.0.1", str(port))), "echo there"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "there\n", done
    return ["psql", "curl", "ssh"] + iperf(world)


def iperf(world):
    """Both ways, through both kinds of entrance."""
    listen = free_port()
    server = subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(world.iperf_port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("iperf3", lambda: accepts(world.iperf_port))
        make(world, "speed", world.iperf_port, "--listen", f"127.0.0.1:{listen}")
        for back in ([], ["-R"]):
            client = ["iperf3", "-J", "-n", "32M", *back]
            direct = subprocess.run([*client, "-c", "127.0.0.1", "-p", str(listen)], capture_output=True, text=True, timeout=120)
            for said in (direct.stdout, one_liner(world, "speed", *client, "-c", "{host}", "-p", "{port}")):
                end = json.loads(said)["end"]
                assert end["sum_sent"]["bytes"] >= 32 << 20 and end["sum_received"]["bytes"] > 0, end
    finally:
        server.kill()
        server.wait()
    return ["iperf3"]


def cuts(world, echo):
    opened = Opened(world, "echo")
    with opened.connect() as client:
        say_and_hear(client, b"half")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(64) == b""
    before = echo.ended.count("reset")
    client = opened.connect()
    say_and_hear(client, b"reset")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    wait_for("a reset of the target", lambda: echo.ended.count("reset") == before + 1)
    assert ends(world, "echo", 3)[0] == "client_reset"
    with opened.connect() as client:
        say_and_hear(client, b"paused")
        cli(world, "tunnel", "pause", "echo")
        assert is_reset(client)
    code, err = opened.result()
    assert code == 1 and "paused" in err, (code, err)
    assert ends(world, "echo", 4)[0] == "paused"
    refused = cli(world, "tunnel", "open", "echo", good=False)
    assert "is paused" in refused, refused
    cli(world, "tunnel", "resume", "echo")


def changes(world, echo):
    """What is changed cuts who is let in no longer; the rest goes on."""
    listen = free_port()
    make(world, "changed", echo.port, "--listen", f"127.0.0.1:{listen}", "--from", "127.0.0.0/8")
    opened = Opened(world, "changed")
    inside, outside = (socket.create_connection(("127.0.0.1", listen), source_address=(source, 0)) for source in ("127.0.0.1", "127.0.0.2"))
    with opened.connect() as client, inside, outside:
        for one in (client, inside, outside):
            say_and_hear(one, b"before")
        cli(world, "tunnel", "update", "changed", "--from", "127.0.0.1", "--connections", "2", "--rate", "1000000")
        assert is_reset(outside)
        say_and_hear(client, b"still")
        cli(world, "tunnel", "update", "changed", "--no-role")
        assert is_reset(client)
        say_and_hear(inside, b"still")
    code, err = opened.result()
    assert code == 4 and "access" in err, (code, err)
    assert sorted(ends(world, "changed", 3)) == ["access_ended", "access_ended", "finished"]
    told = ledger(world, opened.told["tunnel"])
    assert [event["action"] for event in told] == ["tunnel.create", "tunnel.open", "tunnel.change", "tunnel.change", "tunnel.cut"], told
    narrower, nobody = told[2]["detail"], told[3]["detail"]
    assert narrower["networks"] == {"was": ["127.0.0.0/8"], "is": ["127.0.0.1/32"]}, narrower
    assert narrower["limits"]["is"]["connections"] == 2 and "access" not in narrower, narrower
    assert nobody["access"]["was"]["roles"] == ["owner", "editor"] and nobody["access"]["is"]["roles"] == [], nobody
    assert told[4]["detail"]["reason"] == "forbidden", told[4]


def ledger(world, tunnel):
    """What the audit ledger has of a tunnel, oldest first."""
    rows = cli(world, "audit", "list", "--limit", 200)["items"]
    return [row["event"] for row in reversed(rows) if row["event"]["target"] == f"tunnel:{tunnel}"]


def whole_downloads(world, web):
    """A program that is done has its connections end as TCP ends them; a program that is not there is told as by a shell."""
    make(world, "downloads", web.server_port)
    for _ in range(3):
        one_liner(world, "downloads", "curl", "-sS", "--noproxy", "*", "http://{host}:{port}/")
    assert ends(world, "downloads", 3) == ["finished"] * 3, ends(world, "downloads", 3)
    for words, code in ((["no-such-program-at-all"], 127), (["/etc/hostname"], 126)):
        ran = subprocess.run([world.bin / "sallyport", "tunnel", "open", "downloads", "--", *words], env=world.env, capture_output=True, text=True, timeout=60)
        assert ran.returncode == code and "cannot run" in ran.stderr, ran


def kills(world, echo):
    opened = Opened(world, "echo")
    with opened.connect() as client:
        say_and_hear(client, b"workstation")
        before = echo.ended.count("reset")
        opened.end(signal.SIGKILL)
    wait_for("a reset of the target", lambda: echo.ended.count("reset") == before + 1)
    assert ends(world, "echo", 5)[0] == "client_reset"

    opened = Opened(world, "echo")
    with opened.connect() as client:
        say_and_hear(client, b"relay")
        wait_for("its access record in the database", lambda: stored_open(world) == 1)
        world.kill("relay")
        assert is_reset(client)
    world.start("relay")
    world.wait_ready()
    wait_linked(world)
    assert ends(world, "echo", 6)[0] == "relay_stopped"
    with opened.connect() as client:  # it has found the relay again, or waits for it
        say_and_hear(client, b"again")
        world.kill("agent")
        assert is_reset(client)
    assert ends(world, "echo", 7)[0] == "link_lost"
    with opened.connect() as client:
        assert is_reset(client)
    assert ends(world, "echo", 8)[0] == "no_agent"
    world.start("agent")
    wait_linked(world)
    code, err = opened.end()
    assert code == 0 and "the relay is back" in err, (code, err)


def access(world):
    """A token of a viewer opens nothing, until the tunnel names it; and nothing any more, within seconds, when it is revoked."""
    users = world.call("POST", "/v1/users", {"name": "Vera", "email": "vera@example.test", "role": "viewer"})[1]
    token = world.call("POST", "/v1/tokens", {"name": "desk", "user": users["id"], "scopes": ["tunnels:read", "tunnels:use"]})[1]
    env = dict(world.env, SALLYPORT_TOKEN=token["secret"])
    refused = subprocess.run([world.bin / "sallyport", "tunnel", "open", "db"], env=env, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 4 and "access" in refused.stderr, refused
    cli(world, "tunnel", "delete", "web")
    make(world, "desk", world.server.port, "--token", token["id"])
    opened = Opened(world, "desk", env=env)
    world.call("DELETE", f"/v1/tokens/{token['id']}")
    begun = time.monotonic()
    code, err = opened.result()
    assert code == 4 and "no longer valid" in err, (code, err)
    assert time.monotonic() - begun < 5


def tell_to_stop(world):
    begun = time.monotonic()
    world.processes["relay"].send_signal(signal.SIGTERM)
    wait_for("relay.stopping", lambda: "relay.stopping" in (world.dir / "relay.log").read_text(errors="replace"))
    return begun


def stops(world, echo):
    """Through both kinds of entrance; the drain time is the usual 5 s."""
    listen = free_port()
    make(world, "stop", echo.port, "--listen", f"127.0.0.1:{listen}")
    opened = Opened(world, "stop")
    ending = [socket.create_connection(("127.0.0.1", listen)), opened.connect()]
    left = [socket.create_connection(("127.0.0.1", listen)), opened.connect()]
    for client in ending + left:
        say_and_hear(client, b"before")
    begun = tell_to_stop(world)
    time.sleep(1)
    for client in ending:
        with client:
            say_and_hear(client, b"the rest")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(64) == b""
    assert all(map(is_reset, left))
    assert 4 < time.monotonic() - begun < 9, time.monotonic() - begun
    assert world.processes["relay"].wait(timeout=30) == 0
    world.start("relay")
    world.wait_ready()
    wait_linked(world)
    assert sorted(ends(world, "stop", 4)) == ["finished", "finished", "relay_stopped", "relay_stopped"], ends(world, "stop", 4)
    with opened.connect() as client:
        say_and_hear(client, b"again")
    ends(world, "stop", 5)
    begun = time.monotonic()
    world.processes["relay"].send_signal(signal.SIGTERM)
    assert world.processes["relay"].wait(timeout=30) == 0
    assert time.monotonic() - begun < 5, "a relay without an open connection waits"
    code, err = opened.end()
    assert code == 0 and "stopping" in err, (code, err)


def main():
    world = World(sys.argv[1], server=Postgres)
    web, echo, sshd = WebServer(), EchoServer(), Sshd(world.dir)
    try:
        world.iperf_port = free_port()
        with open(world.dir / "agent/policy.yaml", "a") as policy:
            policy.write("tunnels:\n" + "".join(f'  - {{target: "127.0.0.1:{port}"}}\n' for port in (world.server.port, web.server_port, echo.port, sshd.port, world.iperf_port)))
        world.env["ASAN_OPTIONS"] = "quarantine_size_mb=4"
        start_pair(world)
        wait_linked(world)
        programs = real_programs(world, sshd, web)
        make(world, "echo", echo.port)
        opened = Opened(world, "echo")
        watch = subprocess.Popen([world.bin / "sallyport", "tunnel", "watch", "echo", "-o", "json"], env=world.env, stdout=subprocess.PIPE, text=True)
        assert json.loads(watch.stdout.readline())["event"] == "figures"
        sent, got = transfer(opened.port, TRANSFER)
        assert sent == got, "the bytes changed on the way"
        assert ends(world, "echo", 1) == ["finished"]
        while not json.loads(watch.stdout.readline())["data"].get("to_target", 0) >= 64 << 20:
            pass
        watch.send_signal(signal.SIGINT)
        watch.wait()
        code, err = opened.end()
        assert code == 0 and not err, (code, err)
        cuts(world, echo)
        changes(world, echo)
        whole_downloads(world, web)
        kills(world, echo)
        access(world)
        stops(world, echo)
    finally:
        with contextlib.suppress(Exception):
            sshd.close()
        web.shutdown()
        world.close()
    print(f"workstation: {', '.join(programs)}; 64 MiB both ways with equal hashes; ended, cut and recorded as they should be")


if __name__ == "__main__":
    main()
