"""Tunnels made of packaged software, and Sallyport's, all leading to one target. Processes listen on loopback only, keep what they need in the run's
folder, and are stopped by the id they were started with."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import World, free_port, start_pair  # noqa: E402
from processes import tree  # noqa: E402

PEERS = {}
PACKAGES = {"stunnel4": "stunnel4", "haproxy": "haproxy", "nginx": "nginx", "/usr/sbin/sshd": "openssh-server"}


def peer(name):
    def note(kind):
        PEERS[name] = kind
        kind.name = name
        return kind
    return note


def quiet(*words, **more):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **more)
    if done.returncode != 0:
        raise SystemExit(f"{words[0]}: {done.stdout}")


def wait_port(port, process=None, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def make_certificates(folder):
    """A CA of this run and two P-256 certificates, far and near, as .crt, .key and both in one .pem."""
    folder.mkdir()
    run = dict(cwd=folder)
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    quiet(*new, "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem", **run)
    for name in ("far", "near"):
        quiet(*new, "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
              "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.crt", **run)
        (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())


class Tunnel:
    """One tunnel: `entrance` is a port of 127.0.0.1 that leads to `target`; between its halves lies a line of `round_trip_ms`. `wide_entrance` takes a thousand
    connections at a time, where one link does not, or `most_channels`."""

    most_channels = 1000

    def __init__(self, run, target):
        self.run, self.target = run, target
        self.folder = run.folder / re.sub(r"\W+", "-", self.name)
        self.folder.mkdir()
        self.started = []
        self.lines = []
        self.entrance = self.wide_entrance = free_port()
        try:
            self.open()
            wait_port(self.entrance)
        except RuntimeError as problem:
            self.close()
            raise RuntimeError(f"{problem}; its log ends with: {self.log_end()}") from problem
        except BaseException:
            self.close()
            raise

    def log_end(self):
        return (self.folder / "log").read_text(errors="replace")[-600:] if (self.folder / "log").exists() else "nothing"

    def start(self, *words, kept=None, env=None):
        log = open(self.folder / "log", "ab")
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=env)
        (self.started if kept is None else kept).append(process)
        return process

    def through_line(self, port):
        if not self.run.round_trip_ms:
            return port
        near = free_port()
        self.start(self.run.load, "line", f"127.0.0.1:{near}", f"127.0.0.1:{port}", self.run.round_trip_ms, kept=self.lines)
        wait_port(near)
        return near

    def file(self, name, text, mode=0o644):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def pids(self):
        return tree([process.pid for process in self.started])

    def wide_pids(self):
        return self.pids()

    def close(self):
        for process in self.started + self.lines:
            process.terminate()
        for process in self.started + self.lines:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@peer("direct")
class Direct(Tunnel):
    """No tunnel."""

    def open(self):
        self.entrance = self.wide_entrance = self.through_line(self.target)


@peer("stunnel")
class Stunnel(Tunnel):
    """Two of them, with certificates on both sides; a TLS connection for each that comes."""

    needs = ["stunnel4"]
    COMMON = "foreground = yes\nsyslog = no\ndebug = 3\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\nverifyChain = yes\n"

    def open(self):
        keys, between = self.run.keys, free_port()
        self.start("stunnel4", self.file("far.conf", self.COMMON + f"CAfile = {keys}/ca.pem\ncert = {keys}/far.pem\nrequireCert = yes\n"
                                         f"[far]\naccept = 127.0.0.1:{between}\nconnect = 127.0.0.1:{self.target}\n"))
        wait_port(between)
        self.start("stunnel4", self.file("near.conf", self.COMMON + f"CAfile = {keys}/ca.pem\ncert = {keys}/near.pem\nclient = yes\n"
                                         f"[near]\naccept = 127.0.0.1:{self.entrance}\nconnect = 127.0.0.1:{self.through_line(between)}\n"))


class Ssh(Tunnel):
    """One connection of OpenSSH with AES-256-GCM, which carries every channel; keys on both sides, the host's pinned."""

    needs = ["/usr/sbin/sshd", "ssh"]

    def open(self):
        port = free_port()
        for name in ("host", "user"):
            quiet("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name)
        key = (self.folder / "host.pub").read_text()
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        authorised = self.file("authorised", (self.folder / "user.pub").read_text(), 0o600)
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", self.file("sshd_config", f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {self.folder}/host
AuthorizedKeysFile {authorised}
PidFile none
StrictModes no
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
UseDNS no
"""))
        wait_port(port)
        via = self.through_line(port)
        known = self.file("known", f"[127.0.0.1]:{via} {key}")
        self.start("ssh", "-N", "-F", "none", "-i", self.folder / "user", "-p", via, "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}",
                   "-o", "ExitOnForwardFailure=yes", "-o", "Ciphers=aes256-gcm@openssh.com",
                   self.DIRECTION, f"127.0.0.1:{self.entrance}:127.0.0.1:{self.target}", "root@127.0.0.1")


@peer("ssh -R")
class SshReverse(Ssh):
    DIRECTION = "-R"


@peer("ssh -L")
class SshLocal(Ssh):
    DIRECTION = "-L"


class Haproxy(Tunnel):
    needs = ["haproxy"]

    def half(self, name, bind, server):
        self.start("haproxy", "-db", "-f", self.file(f"{name}.cfg", f"""
global
  nbthread 2
  maxconn 2500
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  maxconn 2400
{self.OPTION}
listen {name}
  bind 127.0.0.1:{bind}
  server next 127.0.0.1:{server}
"""))


@peer("HAProxy, plain")
class HaproxyPlain(Haproxy):
    """Two of them without TLS, which splice in the kernel: no cryptography, so what it costs is the floor of two hops."""

    OPTION = "  option splice-auto"

    def open(self):
        between = free_port()
        self.half("far", between, self.target)
        wait_port(between)
        self.half("near", self.entrance, self.through_line(between))


@peer("HAProxy, mutual TLS")
class HaproxyTls(Haproxy):
    """A TLS session for each connection, resumed after the first ones."""

    OPTION = ""

    def open(self):
        keys, between = self.run.keys, free_port()
        self.half("far", f"{between} ssl crt {keys}/far.pem ca-file {keys}/ca.pem verify required", self.target)
        wait_port(between)
        self.half("near", self.entrance, f"{self.through_line(between)} ssl crt {keys}/near.pem ca-file {keys}/ca.pem verify required verifyhost localhost")


@peer("nginx, mutual TLS")
class Nginx(Tunnel):
    """Its stream module; a TLS session for each connection, resumed after the first ones."""

    needs = ["nginx"]

    def half(self, name, server):
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        self.start("nginx", "-c", self.file(f"{name}.conf", f"""
load_module {module};
daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
pid {self.folder}/{name}.pid;
error_log {self.folder}/{name}.log;
events {{ worker_connections 4096; }}
stream {{ server {{ proxy_buffer_size 64k; {server} }} }}
"""))

    def open(self):
        keys, between = self.run.keys, free_port()
        self.half("far", f"listen 127.0.0.1:{between} ssl; proxy_pass 127.0.0.1:{self.target}; ssl_protocols TLSv1.2 TLSv1.3;"
                         f"ssl_certificate {keys}/far.crt; ssl_certificate_key {keys}/far.key; ssl_client_certificate {keys}/ca.pem;"
                         "ssl_verify_client on; ssl_session_cache shared:s:10m;")
        wait_port(between)
        self.half("near", f"listen 127.0.0.1:{self.entrance}; proxy_pass 127.0.0.1:{self.through_line(between)}; proxy_ssl on;"
                          f"proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_certificate {keys}/near.crt; proxy_ssl_certificate_key {keys}/near.key;"
                          f"proxy_ssl_trusted_certificate {keys}/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_session_reuse on;")


@peer("yamux")
class Yamux(Tunnel):
    """Go's TLS and hashicorp/yamux with a window of 6 MiB: what most tunnels written in Go are made of. Built here from Debian's packages."""

    needs = ["go"]

    def open(self):
        program, between = self.run.folder / "yamux_tunnel", free_port()
        if not program.exists():
            go = next((path for path in ("/usr/lib/go-1.19/bin/go", shutil.which("go")) if path and os.path.exists(path)), "go")
            quiet(go, "build", "-o", program, pathlib.Path(__file__).parent / "yamux/main.go",
                  env={**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOCACHE": str(self.run.folder / "go")})
        self.start(program, "far", f"127.0.0.1:{between}", f"127.0.0.1:{self.entrance}", self.run.keys)
        wait_port(between)
        self.start(program, "near", f"127.0.0.1:{self.through_line(between)}", f"127.0.0.1:{self.target}", self.run.keys)


def link_port(world):
    settings = (world.dir / "relay/relay.yaml").read_text()
    return int(re.search(r"link:.*?127\.0\.0\.1:(\d+)", settings, re.S)[1])


class SallyportTunnel(Tunnel):
    """A relay and agents of one group. What is measured is carried by the first agent alone; the others are there for what one link does not hold."""

    needs = []
    AGENTS = ("agent", *(f"agent{n}" for n in range(2, 7)))
    TUNNEL_CONNECTIONS = None

    def open(self):
        self.world = world = World(self.run.bin, agents=self.AGENTS)
        if self.TUNNEL_CONNECTIONS:
            settings = world.dir / "relay/relay.yaml"
            settings.write_text(re.sub(r"(?m)^  connections: \d+", f"  connections: {self.TUNNEL_CONNECTIONS}", settings.read_text()))
        self.wide_entrance = free_port()
        if self.run.round_trip_ms:
            self.put_line(world)
        for agent in world.agents:
            with open(world.dir / agent / "policy.yaml", "a") as policy:
                policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{self.target}"}}\n')
        start_pair(world, started=world.agents[:1])
        first = self.wait_linked(world, 1)[0]
        for agent in world.agents[1:]:
            world.start(agent)
        self.wait_linked(world, len(world.agents))
        self.others = [world.processes[name] for name in world.agents[1:]]
        self.started += [world.processes[name] for name in ("relay", world.agents[0])]
        self.make_tunnel(world, "bench", self.entrance, "--agent", first)
        self.make_tunnel(world, "wide", self.wide_entrance)

    def wide_pids(self):
        return tree([process.pid for process in self.started + self.others])

    def put_line(self, world):
        link, near = link_port(world), free_port()
        for agent in world.agents:
            with open(world.dir / agent / "agent.yaml", "a") as config:
                config.write(f"relay: 127.0.0.1:{near}\n")
        self.start(self.run.load, "line", f"127.0.0.1:{near}", f"127.0.0.1:{link}", self.run.round_trip_ms, kept=self.lines)

    def wait_linked(self, world, count):
        """Their ids, when so many are."""
        deadline = time.monotonic() + 60
        while len(linked := [agent["id"] for agent in world.read("/v1/agents")["items"] if agent["link"]]) < count:
            if time.monotonic() > deadline:
                raise RuntimeError("an agent did not link")
            time.sleep(0.1)
        return linked

    def make_tunnel(self, world, name, entrance, *more):
        world.run("sallyport", "tunnel", "create", name, "--group", "dc1", "--target", f"127.0.0.1:{self.target}",
                  "--listen", f"127.0.0.1:{entrance}", "--connections", "1000", *more)

    def close(self):
        super().close()
        if hasattr(self, "world"):
            if sys.exc_info()[0]:
                self.tell()
            self.world.close()

    def tell(self):
        for name in ("relay", *self.world.agents):
            log = self.world.dir / f"{name}.log"
            if log.exists():
                print(f"--- {name}.log\n" + "\n".join(log.read_text(errors="replace").splitlines()[-8:]), file=sys.stderr)


@peer("sallyport")
class Listener(SallyportTunnel):
    """A TCP port of the relay."""


@peer("sallyport open")
class Workstation(SallyportTunnel):
    """A port of `sallyport tunnel open`, which carries each connection to the relay over one HTTPS upgrade: a TLS hop and a process more."""

    most_channels = 120  # of the 128 that a session takes

    def open(self):
        super().open()
        self.entrance = self.open_session("bench")
        self.wide_entrance = self.open_session("wide")

    def open_session(self, name):
        port = free_port()
        self.start(self.run.bin / "sallyport", "tunnel", "open", name, "--listen", f"127.0.0.1:{port}", env=self.world.env)
        wait_port(port)
        return port


def missing(names):
    """Programs that these peers need and this machine does not have, by peer."""
    lacking = {}
    for name in names:
        for program in getattr(PEERS[name], "needs", []):
            if not (shutil.which(program) or os.path.exists(program)):
                lacking[name] = PACKAGES.get(program, program)
    return lacking
