#!/usr/bin/env python3
"""Request smuggling against the web API: straight, and through nginx, HAProxy and squid, which share connections to the relay among their clients.

smuggling.py BIN
Each vector is a request that two parsers may end at different places, with another request hidden in its body. The proxy marks every request that it knows of in a header that
the relay logs as the request's id: a request without the mark, or an honest one beside it that gets another one's answer, is a desync. Straight to the relay nothing hidden may be
taken for a request at all. The control is a server that knows of no bodies, in the relay's place: behind each proxy, and straight, it must be found.
"""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("faults", "e2e")]
from kill_loop import World, free_port  # noqa: E402
from tunnels import wait_for  # noqa: E402

MARK = "known-"
LEAST = 120  # vectors
ENCODINGS = ("chunked", "Chunked", "chunked ", "\tchunked", "\vchunked", "chunked\v", "xchunked", "chunkedx", "chunk", "chunked,", ",chunked", "chunked, chunked", "chunked, identity",
             "identity, chunked", "identity", "gzip, chunked", '"chunked"', "'chunked'", "chunked;q=1", "chunked\0", "", "\xe7hunked", "\r\n chunked", "\r\n\tchunked", "chunked\r\n , identity",
             "chunked\r\nTransfer-Encoding: identity", "identity\r\nTransfer-Encoding: chunked", "x\r\nTransfer-Encoding: chunked", "chunked\r\ntransfer-encoding: chunked")
ENCODING_NAMES = ("Transfer-Encoding ", "Transfer-Encoding\t", "transfer_encoding", "TRANSFER-ENCODING", "Transfer-Encoding\0", "Transfer-Encoding\v", "Transfer-\r\n Encoding", "X: y\nTransfer-Encoding",
                  "X: y\rTransfer-Encoding", "X: y\r\n Transfer-Encoding", ":Transfer-Encoding", '"Transfer-Encoding"', "\xefTransfer-Encoding")
LENGTHS = ("Content-Length: {n}\r\nContent-Length: 0", "Content-Length: 0\r\nContent-Length: {n}", "Content-Length: {n}, 0", "Content-Length: 0, {n}", "Content-Length: {n}, {n}", "Content-Length: +{n}",
           "Content-Length: -{n}", "Content-Length: 0x{n:x}", "Content-Length: 0{n}", "Content-Length: {n} 0", "Content-Length: {n}.0", "Content-Length: {n}e0", "Content-Length: {n}\0",
           "Content-Length: \v{n}", "Content-Length : {n}", "Content-Length\t: {n}", "Content-Length\0: {n}", "Content_Length: {n}", "Content-Length:\r\n {n}", "X: y\r\n Content-Length: {n}",
           "X: y\nContent-Length: {n}", "X: y\rContent-Length: {n}", "Content-Length: 1844674407370955{m}", "Content-Length: {n}\nX: y", "Content-Length:", "Content-Length: a")
OPTIONS = ("Connection: Content-Length\r\nContent-Length: {n}", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\nContent-Length: {n}",
           "Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\nContent-Length: {n}", "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\nContent-Length: {n}",
           "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nContent-Length: {n}", "Expect: 100-continue, x\r\nContent-Length: {n}", "TE: trailers\r\nTransfer-Encoding: chunked\r\nContent-Length: {n}",
           "Transfer-Encoding: chunked\r\nContent-Length: {n}", "Transfer-Encoding: chunked\r\nContent-Length: {n}\r\nContent-Length: {n}")
CHUNKS = ("0;\n\r\n{hidden}", "0\n\n{hidden}", "0\r\n\n{hidden}", "0\n\r\n{hidden}", "0\r\r\n\r\n{hidden}", "0x0\r\n\r\n{hidden}", "-1\r\n{hidden}", "+{size:x}\r\n{hidden}\r\n0\r\n\r\n",
          " {size:x}\r\n{hidden}\r\n0\r\n\r\n", "{size:x} \r\n{hidden}\r\n0\r\n\r\n", "1{size:016x}\r\n{hidden}\r\n0\r\n\r\n", "{size:x};a\n{hidden}\r\n0\r\n\r\n", '{size:x};a="\r\n"\r\n{hidden}\r\n0\r\n\r\n',
          "{size:x}\n{hidden}\r\n0\r\n\r\n", "{size:x}\r\n{hidden}0\r\n\r\n", "{size:x}\r\n{hidden}\n0\r\n\r\n", "{size:x}\r\n{hidden}xx0\r\n\r\n", "0\r\nContent-Length: 0\r\n\r\n{hidden}",
          "0\r\nTransfer-Encoding: chunked\r\n\r\n{hidden}", "0\r\nX: y\n\r\n{hidden}", "\r\n0\r\n\r\n{hidden}", "{size:x}\v\r\n{hidden}\r\n0\r\n\r\n")
LINES = ("POST {path} HTTP/1.0", "POST {path} HTTP/1.1\n", "POST {path} HTTP/1.1 ", "POST {path}\tHTTP/1.1", "POST  {path} HTTP/1.1", "\r\nPOST {path} HTTP/1.1", "POST {path} HTTP/1.1\r", "post {path} HTTP/1.1",
         "POST {path} HTTP/1.10", "POST {path} HTTP/0.9", "POST http://other.test{path} HTTP/1.1", "GET {path} HTTP/1.1", "HEAD {path} HTTP/1.1", "POST {path} HTTP/1.1\r\nHost: other.test")


def vectors(token):
    """(what it is, its bytes); the hidden request's path has the vector's number."""
    made = []

    def add(what, framing, body, line="POST {path} HTTP/1.1"):
        hidden = f"GET /v1/hidden-{len(made)} HTTP/1.1\r\nHost: relay.test\r\nX-Request-Id: hidden\r\n\r\n"
        prefix = "0\r\n\r\n" if body == "behind" else f"{len(hidden):x}\r\n"
        whole = {"behind": prefix + hidden, "inside": f"{prefix}{hidden}\r\n0\r\n\r\n"}.get(body) or body.format(hidden=hidden, size=len(hidden))
        n = len(prefix) if body == "inside" else len(whole)
        head = f"{line.format(path='/v1/jobs')}\r\nHost: relay.test\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{framing.format(n=n, m=1616 + n)}\r\n\r\n"
        made.append((f"{what}, the hidden request {body!r}", (head + whole).encode("latin-1")))

    for place in ("behind", "inside"):  # the last chunk, as whoever believes the encoding sees it; the length, as whoever believes that one
        for value in ENCODINGS:
            add(f"encoding {value!r}", "Content-Length: {n}\r\nTransfer-Encoding: " + value, place)
        for name in ENCODING_NAMES:
            add(f"encoding by {name!r}", "Content-Length: {n}\r\n" + name + ": chunked", place)
        for framing in OPTIONS:
            add(repr(framing), framing, place)
    for framing in LENGTHS:
        add(repr(framing), framing, "behind")
    for chunks in CHUNKS:
        add("chunks", "Transfer-Encoding: chunked", chunks)
    for line in LINES:
        add(repr(line), "Content-Length: {n}\r\nTransfer-Encoding: chunked", "behind", line)
    return made


class Careless:
    """The control: knows of no bodies, skips what is no request, and keeps the relay's kind of record."""

    REQUEST = re.compile(rb"[A-Z]+ (\S+) HTTP/1\.1\r\n")

    def __init__(self, folder):
        self.folder, self.log, self.port = folder / "careless", folder / "careless.log", free_port()
        self.folder.mkdir()
        self.root = self.folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=careless", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", self.folder / "key.pem", "-out", self.root], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.num_tickets = 0
        self.context.load_cert_chain(self.root, self.folder / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.log.touch()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError), self.context.wrap_socket(client, server_side=True) as line:
            taken = b""
            while data := line.recv(1 << 16):
                taken += data
                while (start := self.REQUEST.search(taken)) and (end := taken.find(b"\r\n\r\n", start.start())) >= 0:
                    head = taken[start.start():end]
                    mark = re.search(rb"\r\nx-request-id: *(\S+)", head, re.IGNORECASE)
                    taken = taken[end + 4:]
                    with open(self.log, "a") as log:
                        log.write(json.dumps({"event": "http.request", "path": start[1].decode("latin-1"), "request_id": mark[1].decode("latin-1") if mark else ""}) + "\n")
                    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Request-Id: " + (mark[1] if mark else b"") + b"\r\n\r\nok\n")
                    if b"\r\nconnection: close" in head.lower():
                        return


class Relay:
    def __init__(self, world):
        self.port, self.root, self.log = world.api, world.root, world.dir / "relay.log"


NGINX = """daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
events {{}}
http {{
  access_log off; underscores_in_headers on; ignore_invalid_headers off; merge_slashes off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  upstream relay {{ server 127.0.0.1:{relay}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass https://relay; proxy_http_version 1.1; proxy_request_buffering off; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Request-Id "{mark}$http_x_request_id";
    }}
  }}
}}
"""
HAPROXY = """defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  retry-on conn-failure empty-response
frontend people
  bind 127.0.0.1:{port}
  option accept-invalid-http-request
  http-request set-header X-Request-Id {mark}%[req.hdr(x-request-id)]
  default_backend relay
backend relay
  http-reuse always
  option accept-invalid-http-response
  server relay 127.0.0.1:{relay} ssl verify required ca-file {root}
"""
SQUID = """http_port 127.0.0.1:{port} accel defaultsite=relay.test no-vhost
cache_peer 127.0.0.1 parent {relay} 0 no-query no-digest originserver tls tls-cafile={root} name=relay
http_access allow all
never_direct allow all
request_header_access X-Request-Id deny all
request_header_add X-Request-Id "{mark}%{{X-Request-Id}}>h" all
relaxed_header_parser on
cache deny all
pid_filename {dir}/pid
cache_log {dir}/cache.log
access_log none
coredump_dir {dir}
shutdown_lifetime 0 seconds
"""


class Proxy:
    """A real one, as lenient as it can be told to be."""

    KINDS = {"nginx": (NGINX, "-c"), "haproxy": (HAPROXY, "-db -f"), "squid": (SQUID, "-N -f")}

    def __init__(self, kind, relay, folder):
        settings, words = self.KINDS[kind]
        self.port, folder = free_port(), folder / f"{kind}-{relay.port}"
        folder.mkdir()
        (folder / "root.pem").write_bytes(relay.root.read_bytes())
        (folder / "conf").write_text(settings.format(port=self.port, relay=relay.port, dir=folder, root=folder / "root.pem", mark=MARK))
        if kind == "squid" and os.geteuid() == 0:
            shutil.chown(folder, "proxy", "proxy")
        program = shutil.which(kind) or f"/usr/sbin/{kind}"
        with open(folder / "said", "wb") as said:
            self.process = subprocess.Popen([program, *words.split(), folder / "conf"], stdout=said, stderr=said, cwd=folder)
        wait_for(kind, lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)

    def close(self):
        self.process.kill()
        self.process.wait()


def talk(port, root, request, patience):
    """Whether the request was sent, and what comes back until the other side ends, or says nothing more for so many seconds."""
    sent, got = False, b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        line = ssl.create_default_context(cafile=root).wrap_socket(plain, server_hostname="127.0.0.1") if root else plain
        with line:
            line.sendall(request)
            sent = True
            line.settimeout(patience)
            while data := line.recv(1 << 16):
                got += data
    return sent, got


def honest(port, root, mark, number):
    """Why an honest request was not answered as itself; a proxy may say that it found a connection closed."""
    wanted = f"{mark}honest-{number}"
    request = f"GET /livez HTTP/1.1\r\nHost: relay.test\r\nX-Request-Id: honest-{number}\r\nConnection: close\r\n\r\n".encode()
    for _ in range(5):
        answer = talk(port, root, request, 20)[1].decode("latin-1").lower()
        ids = re.findall(r"\r\nx-request-id: *(\S*)", answer)
        if ids and ids != [wanted]:
            return f"the answer to {wanted} is that to {ids}"
        if ids and answer.startswith("http/1.1 200") and answer.count("http/1.") == 1 and answer.endswith("ok\n"):
            return None
    return f"no answer to {wanted}: {answer[:60]!r}"


def requests_in(log, begin):
    lines = (line for line in log.read_text(errors="replace")[begin:].splitlines() if '"http.request"' in line)
    return [request for request in map(json.loads, lines) if request["path"]]


def desyncs(relay, attacks, port=None):
    """What is wrong after all attacks, each with an honest request behind it, how many of them were sent, and how many requests the relay took."""
    mark, root = (MARK, None) if port else ("", relay.root)
    begin = len(relay.log.read_text(errors="replace"))

    def attack(numbered):
        number, (what, wire) = numbered
        sent, _ = talk(port or relay.port, root, wire, 0.5)
        wrong = honest(port or relay.port, root, mark, number)
        return sent, f"after {what}: {wrong}" if wrong else None

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        done = list(pool.map(attack, enumerate(attacks)))
    found = [wrong for _, wrong in done if wrong]
    taken = requests_in(relay.log, begin)
    for request in taken:
        if "hidden" in request["path"] if not port else not request["request_id"].startswith(MARK):
            source = [what for what, wire in attacks if request["path"].encode() + b" " in wire and "hidden" in request["path"]]
            found.append(f"{request} was taken from {source[:1]}")
    return found, sum(sent for sent, _ in done), len(taken)


def desync(found):
    """Whether one is among what is wrong: something else, such as no answer, is no desync."""
    return any("was taken from" in wrong or "is that to" in wrong for wrong in found)


def main():
    world = World(sys.argv[1])
    try:
        world.start("relay")
        world.wait_ready()
        attacks = vectors(world.token)
        found, sent, taken = desyncs(Relay(world), attacks)
        assert not found, "\n".join(found)
        assert sent >= LEAST, sent
        said = [f"straight {taken}"]
        careless = Careless(world.dir)
        few = attacks[-len(LENGTHS) - len(CHUNKS) - len(LINES):]
        assert desync(desyncs(careless, few)[0]), "the control: straight to a careless server"
        for kind in Proxy.KINDS:
            for relay in (Relay(world), careless):
                proxy = Proxy(kind, relay, world.dir)
                try:
                    found, sent, taken = desyncs(relay, few if relay is careless else attacks, proxy.port)
                finally:
                    proxy.close()
                if relay is careless:
                    assert desync(found), f"the control: a careless server behind {kind}"
                else:
                    assert not found, kind + "\n" + "\n".join(found)
                    assert sent >= LEAST, (kind, sent)
                    said.append(f"{kind} {taken}")
    finally:
        world.close()
    print(f"smuggling: {len(attacks)} vectors, nothing hidden was taken for a request; requests that were taken: {', '.join(said)}")


if __name__ == "__main__":
    main()
