#!/usr/bin/python3
"""An HTTP server for tests of clients: plain answers, an OAuth 2.0 token endpoint, lists in pages, and every way to misbehave.

http_server.py FOLDER [--port P]: on 127.0.0.1, in clear text. `port` in FOLDER says where once it listens; each request that came is a
line of `requests`, JSON with method, path, headers and the hash of the body. `control.json` (key_server.py) may hold {"token": LIFETIME}.
The last part of a path decides, whatever stands before it:
  echo               what came, as JSON               status?code=N[&retry=S]     that status
  bytes?n=N          N bytes                          cut?n=N                     N bytes fewer than promised, then the end
  numbers?n=N        JSON that grows                  packed                      gzip
  hang               nothing                          drop                        the connection ends without an answer
  late               a head, and then nothing         garbage                     no HTTP
  headers, header    headers without end, one header without end                  hints     interim answers without end
  longer             more than its Content-Length     bomb                        gzip that grows a thousandfold
  redirect?to=URL    there                            loop                        to itself
  linked, cursors, urls, numbered                     a list of 7 items in pages of 3
  token              RFC 6749 section 4.4             guarded                     needs the newest token that was issued
  forgetful          a token for any code, and none to refresh it                 E/denied                    400 with the error E
  login              needs basic authentication       ntlm                        the turns of NTLM, without cryptography
"""
import base64
import gzip
import hashlib
import http.server
import json
import sys
import threading
import urllib.parse

import key_server

CLIENT = ("the client", "s3cret+of/the client")
ITEMS = [{"id": n, "name": f"item {n}"} for n in range(1, 8)]
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lock = threading.Lock()
    tokens = 0
    folder = None

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.body_size, self.body_hash, self.body = 0, hashlib.sha256(), b""
        for piece in self.pieces():
            self.body_size += len(piece)
            self.body_hash.update(piece)
            self.body += piece[:max(0, 4096 - len(self.body))]
        self.note()
        getattr(self, "answer_" + url.path.rstrip("/").rsplit("/", 1)[-1], self.answer_nothing)()

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def pieces(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0 and (piece := self.rfile.read(min(left, 65536))):
            left -= len(piece)
            yield piece

    def seen(self):
        return {"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                "size": self.body_size, "sha256": self.body_hash.hexdigest(), "body": self.body.decode("latin-1"), "from": self.client_address[1]}

    def note(self):
        with self.lock, open(self.folder / "requests", "a") as log:
            log.write(json.dumps(self.seen()) + "\n")

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, value, status=200, **headers):
        self.reply(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def raw(self, data):
        self.close_connection = True
        self.wfile.write(data)

    def wait_for_the_end(self):
        self.close_connection = True
        self.wfile.flush()
        self.rfile.read(1)

    def answer_nothing(self):
        self.reply(404, b"nothing here")

    def answer_echo(self):
        self.reply_json(self.seen(), Set_Cookie="session=c00kie", X_Answer="yes")

    def answer_status(self):
        more = {"Retry_After": self.query["retry"]} if "retry" in self.query else {}
        code = int(self.query["code"])
        self.reply(code, b"" if code in (204, 304) else b"the server says why", **more)

    def answer_bytes(self):
        left = int(self.query["n"])
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left > 0:
            self.wfile.write(b"b" * min(left, 65536))
            left -= min(left, 65536)

    def answer_cut(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"c" * (1000 - int(self.query["n"])))

    def answer_longer(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst, and more")

    def answer_hang(self):
        self.wait_for_the_end()

    def answer_late(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        self.wait_for_the_end()

    def answer_drop(self):
        self.close_connection = True

    def answer_garbage(self):
        self.raw(b"\x00\x01\x02 no HTTP at all\r\n\r\n")

    def answer_headers(self):
        self.raw(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-More: and more\r\n" * 1000)

    def answer_header(self):
        self.raw(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            self.wfile.write(b"a" * 65536)

    def answer_hints(self):
        self.close_connection = True
        while True:
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" * 100)

    def answer_bomb(self):
        body = gzip.compress(b"\0" * 67_108_864, 9)
        self.reply(200, body, Content_Encoding="gzip")

    def answer_numbers(self):
        self.reply(200, b"[" + b",".join([b"1e20"] * int(self.query["n"])) + b"]")

    def answer_packed(self):
        self.reply(200, gzip.compress(b"packed " * 1000), Content_Encoding="gzip")

    def answer_redirect(self):
        self.reply(int(self.query.get("code", "302")), b"elsewhere", Location=self.query["to"])

    def answer_loop(self):
        self.reply(302, b"", Location=self.path)

    def page(self):
        begin = int(self.query.get("from", "0"))
        return ITEMS[begin:begin + 3], begin + 3 if begin + 3 < len(ITEMS) else None

    def answer_linked(self):
        items, after = self.page()
        to = self.query.get("to", "linked?from=")
        more = {"Link": f'</first>; rel="first", <{to}{after}>; title="a, b"; rel="next last"'} if after else {}
        self.reply_json(items, **more)

    def answer_cursors(self):
        items, after = self.page()
        self.reply_json({"data": {"items": items}, "meta": {"next": after}})

    def answer_urls(self):
        items, after = self.page()
        self.reply_json({"data": items, "next": f"urls?from={after}" if after else None})

    def answer_numbered(self):
        begin = (int(self.query["page"]) - 1) * 3
        self.reply_json(ITEMS[begin:begin + 3])

    def answer_token(self):
        form = dict(urllib.parse.parse_qsl(self.body.decode()))
        given = (form.get("client_id"), form.get("client_secret"))
        kind, _, pair = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            given = tuple(urllib.parse.unquote_plus(part) for part in base64.b64decode(pair).decode().split(":", 1))
        if self.command != "POST" or form.get("grant_type") != "client_credentials":
            return self.reply_json({"error": "unsupported_grant_type"}, 400)
        if given != CLIENT:
            return self.reply_json({"error": "invalid_client"}, 401)
        lifetime = json.loads((self.folder / "control.json").read_text())["token"]
        with self.lock:
            Handler.tokens += 1
        self.reply_json({"access_token": f"t0ken-{Handler.tokens}", "token_type": "Bearer", "expires_in": lifetime}, Cache_Control="no-store")

    def answer_forgetful(self):
        self.reply_json({"access_token": "t0ken", "token_type": "Bearer"})

    def answer_denied(self):
        self.reply_json({"error": self.path.split("/")[-2]}, 400)

    def answer_guarded(self):
        if self.headers.get("Authorization") != f"Bearer t0ken-{Handler.tokens}":
            return self.reply(401, b"no", WWW_Authenticate="Bearer")
        self.reply_json(self.seen())

    def answer_revoke(self):
        with self.lock:
            Handler.tokens += 1
        self.reply(204)

    def answer_login(self):
        pair = base64.b64encode("us€r:pa:ss".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {pair}":
            return self.reply(401, b"no", WWW_Authenticate='Basic realm="test"')
        self.reply(200, b"welcome")

    def answer_ntlm(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        message = base64.b64decode(token)
        if kind != "NTLM" or message[:8] != b"NTLMSSP\0":
            return self.reply(401, b"no", WWW_Authenticate="NTLM")
        if message[8] == 1:
            challenge = b"NTLMSSP\0" + bytes([2, 0, 0, 0]) + bytes(8) + bytes([1, 2, 0, 0]) + b"\x11" * 8 + bytes(16)
            return self.reply(401, b"", WWW_Authenticate="NTLM " + base64.b64encode(challenge).decode())
        self.reply_json({"user_named": b"erp-user" in message, "size": self.body_size, "sha256": self.body_hash.hexdigest()})

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    arguments = key_server.parser(__doc__.splitlines()[0]).parse_args()
    Handler.folder = arguments.folder
    server = key_server.Server(("127.0.0.1", arguments.port), Handler)
    (arguments.folder / "port.new").write_text(str(server.server_port))
    (arguments.folder / "port.new").rename(arguments.folder / "port")
    sys.exit(server.serve_forever())
