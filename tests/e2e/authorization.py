#!/usr/bin/env python3
"""A person authorizes a connection with a browser through the relay, with real processes and a real authorization server.

authorization.py BIN
Before that a job fails with what to do; then it succeeds, also after the agent was killed. The callback counts once. A state of nobody, a code that was injected from
another authorization, an answer to a request without PKCE, and a refresh token that was used twice are each refused, and told to whom it concerns: the browser, the
command that waits, the step. No code, state or token is in a file or log of the relay or in a log of the agent, nor a token in plain on the agent's disk. Positive
control: the authorization's id, which the ledger has, is found. An agent that is revoked forgets its refresh tokens.
"""
import json
import pathlib
import subprocess
import sys
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World, start_pair, tell  # noqa: E402
from support.canaries import where  # noqa: E402

SERVER = pathlib.Path(__file__).resolve().parent.parent / "support/authorization_server.py"
CONNECTIONS = """version: 1
connections:
  shop:
    kind: http
    url: http://127.0.0.1:{api}/api
    auth:
      type: oauth2
      grant: authorization_code
      authorization_url: http://127.0.0.1:{server}/api/oidc/auth
      token_url: http://127.0.0.1:{server}/api/oidc/token
      issuer: http://127.0.0.1:{server}/api/oidc
      client_id: sallyport
      client_secret_file: client.secret
      scopes: [orders]
      redirect_url: {callback}
"""
POLICY = """version: 1
actions: [http.request@1]
connections:
  shop: {http: {allow: [{methods: [GET], paths: ["/api/**"]}], clear_text: true, addresses: [loopback]}}
"""
RECIPE = """recipe: effects
run_on: dc1
trigger: {uses: manual@1}
steps:
  - {id: asked, uses: http.request@1, connection: shop, with: {path: guarded}}
"""
ADDRESS = "Open this address"


def wait_until(what, holds):
    deadline = time.monotonic() + 60
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.1)
    return found


class Provider:
    def __init__(self, folder, callback):
        folder.mkdir()
        self.folder = folder
        self.process = subprocess.Popen(["/usr/bin/python3", SERVER, folder, "--redirect", callback])
        wait_until("the authorization server", lambda: (folder / "port").exists())
        self.port = (folder / "port").read_text()
        self.server = (folder / "server").read_text()

    def browse(self, url):
        """Where the browser is sent back to."""
        question = f"http://127.0.0.1:{self.port}/browse?" + urllib.parse.urlencode({"url": url})
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(question, timeout=60).read().decode()

    def close(self):
        self.process.kill()
        self.process.wait()


class Waiting:
    """`sallyport connection authorize`, which waits for the browser."""

    def __init__(self, world):
        self.process = subprocess.Popen([world.bin / "sallyport", "connection", "authorize", "shop", "-o", "json"], env=world.env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(self.process.communicate()[1])
        self.begun = json.loads(line)
        self.url = self.begun["url"]

    def end(self):
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out + err


def visit(world, address):
    """curl as the browser: status and page."""
    done = subprocess.run(["curl", "-s", "--noproxy", "*", "--cacert", world.root, "-w", "\n%{http_code}", address], capture_output=True, text=True, timeout=60, check=True)
    page, _, status = done.stdout.rpartition("\n")
    return int(status), page


def parts_of(address):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))


def run_job(world):
    status, job = world.call("POST", "/v1/jobs", {"recipe_name": "effects"})
    assert status in (200, 202), job
    ended = wait_until("the end of a job", lambda: (found := world.read(f"/v1/jobs/{job['id']}"))["state"] in ("succeeded", "failed") and found)
    return ended["state"], ended["error"]


def needs_authorization(world):
    state, error = run_job(world)
    said = state == "failed" and "permission" in json.dumps(error) and "sallyport connection authorize shop" in json.dumps(error)
    return [] if said else [f"a job does not say that somebody has to authorize the connection: {state} {error}"]


def faults_in_use(world, provider, seen):
    found = needs_authorization(world)
    waiting = Waiting(world)
    address = provider.browse(waiting.url)
    seen.update(parts_of(address))
    status, page = visit(world, address)
    if status != 200 or "authorized" not in page or any(part in page for part in seen.values()):
        found.append(f"the browser was told {status} {page!r}")
    code, said = waiting.end()
    if code != 0:
        found.append(f"the command ended with {code}: {said}")
    if run_job(world)[0] != "succeeded":
        found.append("with the authorization a job failed")
    for what, again in {"the callback again": address, "a state of nobody": address.replace(seen["state"], "x" * 43)}.items():
        status, page = visit(world, again)
        if status != 404:
            found.append(f"{what} is answered with {status} {page!r}")
    world.kill("agent")
    world.start("agent")
    if run_job(world)[0] != "succeeded":
        found.append("after the agent was killed a job failed")
    return found, waiting.begun["id"]


def faults_in_hostility(world, provider):
    found = []
    ours, theirs = Waiting(world), Waiting(world)
    back = provider.browse(theirs.url)
    injected = back.replace(parts_of(back)["state"], parts_of(ours.url)["state"])
    status, page = visit(world, injected)
    code, said = ours.end()
    if status != 400 or code == 0 or "did not take the code" not in said:
        found.append(f"an injected code: the browser was told {status} {page!r}, the command ended with {code}: {said}")
    if visit(world, back)[0] != 200 or theirs.end()[0] != 0:
        found.append("positive control: the same code in its own authorization is refused")
    bare = Waiting(world)
    without = urllib.parse.urlencode({name: value for name, value in parts_of(bare.url).items() if not name.startswith("code_challenge")})
    status, _ = visit(world, provider.browse(bare.url.split("?")[0] + "?" + without))
    code, said = bare.end()
    if status != 400 or code == 0 or "invalid_request" not in said:
        found.append(f"without PKCE: the browser was told {status}, the command ended with {code}: {said}")
    return found


def faults_in_rotation(world):
    token = world.dir / "agent/state/refresh-token-shop"
    stolen = token.read_text()
    world.kill("agent")
    world.start("agent")
    found = [] if run_job(world)[0] == "succeeded" else ["with the next refresh token a job failed"]
    if token.read_text() == stolen:
        found.append("the refresh token was not replaced")
    token.write_text(stolen)
    world.kill("agent")
    world.start("agent")
    found += needs_authorization(world)
    done = subprocess.run([world.bin / "sallyport-agent", "connection", "test", "shop", "--config", world.dir / "agent"], env=world.env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    if done.returncode == 0 or "authorization needed" not in done.stdout:
        found.append(f"the test of the connection does not tell it: {done.stdout}")
    return found


def faults_in_privacy(world, seen, known):
    places = {str(path.relative_to(world.dir)): path.read_bytes() for path in (world.dir / "relay").rglob("*") if path.is_file()}
    places |= {f"{name}.log": (world.dir / f"{name}.log").read_bytes() for name in ("relay", "agent")}
    places |= {path: json.dumps(world.read(path)).encode() for path in ("/v1/audit-events", "/v1/connections", "/v1/jobs")}
    found = [f"{name} is in {place}" for name in ("code", "state") for place in where(seen[name], places)]
    if not where(known, places):
        found.append("positive control: the authorization's id was not found")
    ledger = json.dumps(world.read("/v1/audit-events"))
    found += [f"the ledger does not have {action}" for action in ("connection.authorize", "connection.authorized") if f'"{action}"' not in ledger]
    return found


def faults_at_the_machine(world, provider):
    """Without the relay: the address is pasted."""
    process = subprocess.Popen([world.bin / "sallyport-agent", "connection", "authorize", "shop", "--config", world.dir / "agent"], env=world.env, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    url = ""
    while not url.startswith("http"):
        url = process.stdout.readline().strip()
    out, err = process.communicate(provider.browse(url) + "\n", timeout=60)
    found = [] if process.returncode == 0 and "is authorized" in out else [f"at the machine: {out} {err}"]
    return found if run_job(world)[0] == "succeeded" else [*found, "with what was authorized at the machine a job failed"]


def faults_after_revocation(world):
    world.run("sallyport", "agent", "revoke", world.read("/v1/agents")["items"][0]["id"])
    wait_until("the end of the refresh token", lambda: not (world.dir / "agent/state/refresh-token-shop").exists())
    return []


def main():
    world = World(sys.argv[1])
    callback = f"https://127.0.0.1:{world.api}/oauth2/callback"
    provider, seen = Provider(world.dir / "provider", callback), {}
    found = ["not finished"]
    try:
        (world.dir / "agent/connections.yaml").write_text(CONNECTIONS.format(api=provider.port, server=provider.server, callback=callback))
        (world.dir / "agent/policy.yaml").write_text(POLICY)
        secret = world.dir / "agent/client.secret"
        secret.write_text("s3cret-of-the-client\n")
        secret.chmod(0o600)
        (world.dir / "recipe.yaml").write_text(RECIPE)
        start_pair(world)
        wait_until("the agent's connections", lambda: world.read("/v1/connections")["items"])
        found, known = faults_in_use(world, provider, seen)
        found += faults_in_hostility(world, provider)
        found += faults_in_rotation(world)
        found += faults_at_the_machine(world, provider)
        found += faults_in_privacy(world, seen, known)
        found += faults_after_revocation(world)
    finally:
        tell(world, found)
        provider.close()
        world.close()
    print("\n".join(found) or "authorization: through the relay and at the machine, once each, rotated, and nowhere to be read")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
