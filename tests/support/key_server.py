"""What the servers of keys for tests share: HTTPS on 127.0.0.1 with a certificate of their own, and faults on demand.

A server lives in a folder that the test made: `ca.pem` is its certificate, `port` says where it listens (there once it does), and
`control.json` what it is to do: {"mode": MODE, ...}, read anew at each request; no file means "normal". Modes of all servers:
  delay {"seconds": S}   answers after S seconds
  fail {"status": N, "body": TEXT}
  garbage                bytes that are no JSON
  deep                   JSON nested 1,000 deep
  endless                an answer that never ends
  drop                   the connection ends without an answer
  redirect {"to": URL}
Others are the server's own. Run with /usr/bin/python3, whose python3-cryptography is Debian's.
"""
import argparse
import http.server
import json
import pathlib
import ssl
import subprocess
import time


class Handler(http.server.BaseHTTPRequestHandler):
    """A request becomes answer(body, control) -> (status, value that is written as JSON)."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    content_type = "application/json"
    folder: pathlib.Path

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        control = self.control()
        mode = control.get("mode", "normal")
        if mode == "delay":
            time.sleep(control["seconds"])
        if mode == "drop":
            self.close_connection = True
        elif mode == "endless":
            self.flood()
        elif mode == "redirect":
            self.reply(307, b"", {"Location": control["to"]})
        elif mode in ("fail", "garbage", "deep"):
            text = {"garbage": "\x00\xff<html>{\"", "deep": "[" * 1000 + "]" * 1000}.get(mode) or control["body"]
            self.reply(control.get("status", 200), text.encode("latin-1"))
        else:
            status, value = self.answer(body, control)
            self.reply(status, json.dumps(value).encode())

    def control(self):
        try:
            return json.loads((self.folder / "control.json").read_text())
        except FileNotFoundError:
            return {}

    def reply(self, status, body, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def flood(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b" " * 65536)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):  # clients that break off are what the tests are about
        pass


def make_certificate(folder):
    if not (folder / "ca.pem").exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=key server of a test", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], check=True, capture_output=True)


def serve(handler, arguments):
    handler.folder = arguments.folder
    make_certificate(arguments.folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.folder / "ca.pem", arguments.folder / "key.pem")
    server = Server(("127.0.0.1", arguments.port), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    (arguments.folder / "port.new").write_text(str(server.server_port))
    (arguments.folder / "port.new").rename(arguments.folder / "port")
    server.serve_forever()


def parser(description):
    words = argparse.ArgumentParser(description=description)
    words.add_argument("folder", type=pathlib.Path)
    words.add_argument("--port", type=int, default=0)
    return words
