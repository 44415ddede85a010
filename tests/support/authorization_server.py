#!/usr/bin/python3
"""A real OAuth 2.0 authorization server (Debian's glewlwyd), a browser that has logged in there, and an API that takes its tokens.

authorization_server.py FOLDER [--port P] [--redirect URI ...]: on 127.0.0.1, in clear text. `port` in FOLDER says where the browser and
the API are once everything runs, `server` the port of glewlwyd. The server asks for PKCE by S256, takes each code once, and rotates
refresh tokens: one that is used twice ends its authorization. Its clients are `sallyport` (with the secret of CLIENT) and
`public`. At the port:
  /browse?url=U      opens U there, logged in and with the consent given; answers with the address that the browser is sent back to
  /api/guarded       200 for a token that the server's userinfo takes, else 401
"""
import ctypes
import http.cookiejar
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import key_server

SCHEMA = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
CLIENT = ("sallyport", "s3cret-of-the-client")
CONFIGURATION = """
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}/"
login_url="login.html"
api_prefix="api"
log_mode="file"
log_level="WARNING"
log_file="{folder}/glewlwyd.log"
user_module_path="/usr/lib/glewlwyd/user"
user_middleware_module_path="{folder}/none"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
database = {{ type = "sqlite3" path = "{folder}/glewlwyd.db" }};
"""
PLUGIN = {
    "jwt-type": "sha", "jwt-key-size": "256", "key": "a key for tests alone, and no more", "access-token-duration": 3600,
    "refresh-token-duration": 86400, "code-duration": 600, "refresh-token-rolling": True, "refresh-token-one-use": "always",
    "allow-non-oidc": True, "auth-type-code-enabled": True, "auth-type-refresh-enabled": True, "auth-type-client-enabled": False,
    "auth-type-token-enabled": False, "auth-type-id-token-enabled": False, "auth-type-none-enabled": False,
    "auth-type-password-enabled": False, "auth-type-device-enabled": False, "pkce-allowed": True, "pkce-required": True,
    "pkce-method-plain-allowed": False, "oauth-as-iss-id": True, "subject-type": "public", "scope": [], "claims": [],
    "additional-parameters": [],
}


class Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    def __init__(self, origin):
        self.origin = origin
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), Stays)

    def open(self, method, url, value=None, headers=None):
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(urllib.parse.urljoin(self.origin, url), body, {"Content-Type": "application/json"} | (headers or {}),
                                         method=method)
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers

    def have(self, method, url, value):
        status, _ = self.open(method, url, value)
        if status != 200:
            raise SystemExit(f"{method} {url}: status {status}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(folder):
    port = free_port()
    (folder / "none").mkdir(exist_ok=True)
    (folder / "glewlwyd.conf").write_text(CONFIGURATION.format(port=port, folder=folder))
    with sqlite3.connect(folder / "glewlwyd.db") as database, open(SCHEMA) as schema:
        database.executescript("pragma synchronous = off;" + schema.read())
    libc = ctypes.CDLL(None)
    subprocess.Popen(["/usr/bin/glewlwyd", f"--config-file={folder}/glewlwyd.conf"], stdout=subprocess.DEVNULL,
                     preexec_fn=lambda: libc.prctl(1, signal.SIGKILL))
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return port
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def set_up(browser, redirects):
    browser.have("POST", "/api/auth/", {"username": "admin", "password": "password"})  # as the schema has it
    issuer = browser.origin + "/api/oidc"
    browser.have("POST", "/api/mod/plugin/", {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": PLUGIN | {"iss": issuer}})
    browser.have("POST", "/api/scope/", {"name": "orders", "display_name": "orders", "description": "orders", "password_required": False, "scheme": {}})
    browser.have("PUT", "/api/user/admin", {"username": "admin", "name": "admin", "email": "", "enabled": True,
                                            "scope": ["g_admin", "g_profile", "openid", "orders"]})
    for name in (CLIENT[0], "public"):
        secret = {"password": CLIENT[1], "token_endpoint_auth_method": ["client_secret_basic"]} if name == CLIENT[0] else {}
        browser.have("POST", "/api/client/", {"client_id": name, "name": name, "confidential": bool(secret), "scope": [], "enabled": True,
                                              "redirect_uri": redirects, "authorization_type": ["code", "refresh_token"]} | secret)
        browser.have("PUT", f"/api/auth/grant/{name}", {"scope": "orders"})


class Handler(key_server.Handler):
    browser = None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/browse":
            address = dict(urllib.parse.parse_qsl(url.query))["url"]
            _, headers = self.browser.open("GET", address + "&g_continue")
            return self.reply(200, headers.get("Location", "").encode())
        if url.path != "/api/guarded":
            return self.reply(404, b"")
        token = {"Authorization": self.headers.get("Authorization", "")}
        status, _ = Browser(self.browser.origin).open("GET", "/api/oidc/userinfo", headers=token)
        self.reply(200 if status == 200 else 401, b"{}")

    do_HEAD = do_GET


if __name__ == "__main__":
    words = key_server.parser(__doc__.splitlines()[0])
    words.add_argument("--redirect", action="append", default=["https://relay.example.com/oauth2/callback"])
    arguments = words.parse_args()
    port = start(arguments.folder)
    Handler.browser = Browser(f"http://127.0.0.1:{port}")
    set_up(Handler.browser, arguments.redirect)
    (arguments.folder / "server").write_text(str(port))
    server = key_server.Server(("127.0.0.1", arguments.port), Handler)
    (arguments.folder / "port.new").write_text(str(server.server_port))
    (arguments.folder / "port.new").rename(arguments.folder / "port")
    sys.exit(server.serve_forever())
