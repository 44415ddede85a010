#!/usr/bin/env python3
"""An organisation's own key, kept in a file, a PKCS#11 token, AWS KMS and Vault, is attached, revoked and restored under a real relay with real agents.

key_revoked.py BIN
For each kind in turn (of a token only attaching and detaching): jobs run; the key is revoked while one job runs and others wait; nothing of the organisation can be started, its jobs stay as they are and its agent stays linked, also over a
relay's restart, after which the agent links anew. When the key is restored everything goes on within 60 s: every job that was accepted has succeeded, and every command has run once. A second
organisation starts jobs all the time, and each ends in time. The ledger has each change once, and no file of the relay has the credentials. Positive controls: the same start is accepted before
the key is revoked; the search finds the name of the key.
"""
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World  # noqa: E402
from support.canaries import where  # noqa: E402

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
PIN = "pin-of-the-test"
# As tests/support/kms_server.py and vault_server.py know them.
KMS_KEY, ACCESS_KEY, SECRET_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab", "AKIATESTONLY", "secret-access-key-of-the-test"
VAULT_TOKEN = "hvs.token-of-the-test"
RESUMED = 60  # seconds, as promised
POLICY = """version: 1
actions: [command.run@1, log.write@1]
commands:
  work:
    argv: [@WORK@, "{n}"]
    parameters: {n: {characters: [digits]}}
"""
WORK = """#!/bin/sh
echo "$1" >>"$(dirname "$0")/worked"
sleep 1
"""
RECIPE = """recipe: work
run_on: dc1
trigger: {uses: manual@1}
concurrency: {limit: 1, key: one}
inputs: {n: {type: integer, required: true}}
steps:
  - {id: first, uses: log.write@1, with: {text: "${{ string(inputs.n) }}"}}
  - {id: work, uses: command.run@1, on_in_doubt: skip, with: {template: work, params: {n: "${{ inputs.n }}"}}}
  - {id: last, uses: log.write@1, with: {text: "${{ string(inputs.n) }}"}}
"""
FINAL = ("succeeded", "failed", "cancelled", "timed_out", "in_doubt", "dead")


def wait_until(what, holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.3)
    return found


class Server:
    """AWS KMS or Vault, as a process of its own."""

    def __init__(self, world, program, revoked):
        self.folder, self.revoked_mode = world.dir / program, revoked
        self.folder.mkdir()
        self.process = subprocess.Popen(["/usr/bin/python3", SUPPORT / f"{program}.py", self.folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(f"{program} is there", (self.folder / "port").exists)
        self.url = f"https://127.0.0.1:{(self.folder / 'port').read_text().strip()}"

    def set(self, **control):
        (self.folder / "control.new").write_text(json.dumps(control))
        (self.folder / "control.new").rename(self.folder / "control.json")

    def revoke(self):
        self.set(mode=self.revoked_mode)

    def restore(self):
        self.set(mode="normal")

    def close(self):
        self.process.kill()
        self.process.wait()


class Moved:
    """What is kept under a path of this machine is taken away and put back."""

    def __init__(self, path):
        self.path, self.away = path, path.with_name(path.name + ".away")

    def revoke(self):
        self.path.rename(self.away)

    def restore(self):
        self.away.rename(self.path)


def make_token(world):
    """A token of SoftHSM with a key in it; the folder of the token."""
    tokens = world.dir / "tokens"
    tokens.mkdir()
    config = world.dir / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n")
    world.env["SOFTHSM2_CONF"] = str(config)
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "acme", "--pin", PIN, "--so-pin", "owner-pin"], env=world.env, check=True, capture_output=True)
    (world.dir / "pin").write_text(PIN)
    (world.dir / "pin").chmod(0o600)
    maker = world.dir / "maker"
    world.run("sallyport-relay", "init", "--data", maker, "--organisation", "maker", "--owner", "m@m.example", "--api", "127.0.0.1:1", "--link", "127.0.0.1:2", "--token-file", world.dir / "maker.token")
    with open(maker / "relay.yaml", "a") as settings:
        settings.write(f"keys:\n  pkcs11: {token_settings(world)}\n")
    world.run("sallyport-relay", "keys", "create", "--data", maker)
    return next(tokens.iterdir())


def token_settings(world):
    return f'{{module: /usr/lib/softhsm/libsofthsm2.so, token: acme, key: customer, pin_file: "{world.dir}/pin"}}'


def make_file(world):
    """A key in a file of the operator's."""
    file = world.dir / "acme.key"
    world.run("sallyport-relay", "keys", "create", "--file", file)
    return file


class Tenant:
    """An organisation with an agent of its own."""

    def __init__(self, world, agent, token):
        self.world, self.agent, self.token, self.n = world, agent, token, 0
        self.dir = world.dir / agent
        work = self.dir / "work"
        work.write_text(WORK)
        work.chmod(0o755)
        (self.dir / "policy.yaml").write_text(POLICY.replace("@WORK@", str(work)))
        (self.dir / "connections.yaml").write_text("version: 1\nconnections: {}\n")

    def call(self, method, path, body=None):
        kept, self.world.token = self.world.token, self.token
        try:
            return self.world.call(method, path, body)
        finally:
            self.world.token = kept

    def cli(self, program, *words, stdin=None):
        kept, self.world.env = self.world.env, dict(self.world.env, SALLYPORT_TOKEN=self.token)
        try:
            return self.world.run(program, *words, stdin=stdin)
        finally:
            self.world.env = kept

    def settle(self):
        self.cli("sallyport", "group", "create", "dc1")
        string = json.loads(self.cli("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
        self.cli("sallyport-agent", "enrol", "--config", self.dir, "-", stdin=string + "\n")
        self.world.start(self.agent)
        self.cli("sallyport", "recipes", "apply", "-f", self.world.dir / "work.yaml", "--activate")

    def start(self):
        self.n += 1
        return self.call("POST", "/v1/jobs", {"recipe_name": "work", "inputs": {"n": self.n}})

    def state(self, job):
        status, answer = self.call("GET", f"/v1/jobs/{job}")
        return answer["state"] if status == 200 else status

    def own(self):
        return self.call("GET", "/v1/keys")[1]["own"]

    def linked(self):
        return self.call("GET", "/v1/agents")[1]["items"][0]["link"] is not None

    def worked(self):
        return sorted(map(int, (self.dir / "worked").read_text().split()))


class Neighbour(threading.Thread):
    """Starts a job of its organisation again and again, and tells of each that did not end well in time."""

    def __init__(self, tenant):
        super().__init__(daemon=True)
        self.tenant, self.world = tenant, tenant.world
        self.over, self.quiet, self.faults, self.ended = threading.Event(), threading.Event(), [], 0

    def call(self, method, path, body=None):
        other = World.__new__(World)  # the main thread changes its own world's token
        other.root, other.api, other.token = self.world.root, self.world.api, self.tenant.token
        return other.call(method, path, body)

    def run(self):
        n = 0
        while not self.over.wait(1):
            if self.quiet.is_set():
                continue
            n += 1
            try:
                status, job = self.call("POST", "/v1/jobs", {"recipe_name": "work", "inputs": {"n": n}})
                if status != 202:
                    self.faults.append(f"a neighbour's job was not accepted: {status} {job}")
                    continue
                wait_until("a neighbour's job ends", lambda: self.call("GET", f"/v1/jobs/{job['id']}")[1]["state"] == "succeeded", 30)
                self.ended += 1
            except AssertionError as late:
                self.faults.append(str(late))
            except OSError as problem:
                if not self.quiet.is_set():
                    self.faults.append(f"a neighbour could not ask: {problem}")


def restart_relay(world, neighbour):
    neighbour.quiet.set()
    time.sleep(1.5)  # what it asked last has been answered, or it says why not
    world.processes["relay"].terminate()
    world.processes["relay"].wait()
    world.start("relay")
    world.wait_ready()
    neighbour.quiet.clear()


def is_unavailable(tenant):
    status, answer = tenant.start()
    tenant.n -= 1
    return status == 503 and answer["code"] == "organisation_key_unavailable"


def cycle(world, tenant, neighbour, name, key):
    found = []
    jobs = []
    for _ in range(4):
        status, job = tenant.start()
        assert status == 202, f"{name}: positive control: a start was not accepted: {job}"
        jobs.append(job["id"])
    wait_until(f"{name}: a job runs", lambda: any(tenant.state(job) == "running" for job in jobs))
    key.revoke()
    wait_until(f"{name}: the key is refused", lambda: (tenant.own() or {}).get("state") == "refused")
    if not is_unavailable(tenant):
        found.append(f"{name}: a start was not refused with the reason")
    still = {job: tenant.state(job) for job in jobs}
    if all(state in FINAL for state in still.values()):
        found.append(f"{name}: nothing was under way when the key was revoked")
    for turn in ("revoked", "restarted"):
        time.sleep(6)
        now = {job: tenant.state(job) for job in jobs}
        if now != still:
            found.append(f"{name}, {turn}: jobs went on: {still} {now}")
        if not tenant.linked():
            found.append(f"{name}, {turn}: the agent is not linked")
        if turn == "revoked":
            restart_relay(world, neighbour)
            wait_until(f"{name}: the agent links anew", tenant.linked)
            wait_until(f"{name}: still refused", lambda: is_unavailable(tenant))
    key.restore()
    began = time.monotonic()
    wait_until(f"{name}: the key is in use again", lambda: tenant.own()["state"] == "in_use", RESUMED)
    wait_until(f"{name}: jobs run again", lambda: any(tenant.state(job) != state for job, state in still.items()), RESUMED)
    print(f"{name}: went on after {time.monotonic() - began:.0f} s", flush=True)
    wait_until(f"{name}: every job ends", lambda: all(tenant.state(job) in FINAL for job in jobs), 120)
    found += [f"{name}: {job} ended as {tenant.state(job)}" for job in jobs if tenant.state(job) != "succeeded"]
    return found


def events(tenant):
    cursor, actions = "", []
    while cursor is not None:
        status, page = tenant.call("GET", f"/v1/audit-events?limit=100{'&cursor=' + cursor if cursor else ''}")
        assert status == 200, page
        actions += [item["event"]["action"] for item in page["items"]]
        cursor = page["next"]
    return actions


def run(world):
    (world.dir / "work.yaml").write_text(RECIPE)
    world.start("relay")
    world.wait_ready()
    org = world.read("/v1/whoami")["organisation"]["id"]
    status, made = world.call("POST", "/v1/organisations", {"name": "neighbour", "owner_name": "N", "owner_email": "n@n.example"})
    assert status == 201, made
    world.kill("relay")

    file_key, token_key = Moved(make_file(world)), Moved(make_token(world))
    kms, vault = Server(world, "kms_server", "disabled"), Server(world, "vault_server", "revoked")
    with open(world.dir / "relay/relay.yaml", "a") as settings:
        settings.write(f"""keys: {{cache: 5s}}
organisation_keys:
  hosts:
    - {{url: "{kms.url}", ca_file: "{kms.folder}/ca.pem"}}
    - {{url: "{vault.url}", ca_file: "{vault.folder}/ca.pem"}}
  named:
    - {{name: acme-file, organisation: {org}, file: {{path: "{file_key.path}"}}}}
    - {{name: acme-hsm, organisation: {org}, pkcs11: {token_settings(world)}}}
""")
    world.start("relay")
    world.wait_ready()
    tenant, neighbour = Tenant(world, "agent", world.token), Neighbour(Tenant(world, "other", made["secret"]))
    tenant.settle()
    neighbour.tenant.settle()
    wait_until("both agents are linked", lambda: tenant.linked() and neighbour.tenant.linked())
    neighbour.start()
    kinds = {"file": (["file", "--name", "acme-file"], None, file_key), "pkcs11": (["pkcs11", "--name", "acme-hsm"], None, token_key),
             "aws_kms": (["aws_kms", "--region", "eu-central-1", "--key", KMS_KEY, "--endpoint", kms.url, "--credentials", "-"],
                         f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n", kms),
             "vault": (["vault", "--address", vault.url, "--key", "main", "--credentials", "-"], VAULT_TOKEN + "\n", vault)}
    found = []
    try:
        for name, (words, credentials, key) in kinds.items():
            tenant.cli("sallyport", "keys", "attach", *words, stdin=credentials)
            if name != "pkcs11":  # SoftHSM keeps a key in its memory: what a token that is away does, the contract tests show
                found += cycle(world, tenant, neighbour, name, key)
        tenant.cli("sallyport", "keys", "detach", "--confirm")
        status, job = tenant.start()
        wait_until("a job ends after all", lambda: tenant.state(job["id"]) == "succeeded")
    finally:
        neighbour.over.set()
        neighbour.join(60)
        kms.close()
        vault.close()
    found += neighbour.faults
    if neighbour.ended < 4:
        found.append(f"the neighbour ran {neighbour.ended} jobs only")
    if tenant.worked() != list(range(1, tenant.n + 1)):
        found.append(f"commands did not run once each: {tenant.worked()}")
    actions = events(tenant)
    told = {action: actions.count(action) for action in ("keys.attach", "keys.refused", "keys.restored", "keys.detach")}
    if told != {"keys.attach": 4, "keys.refused": 3, "keys.restored": 3, "keys.detach": 1}:
        found.append(f"the ledger tells otherwise: {told}")
    files = {str(path): path.read_bytes() for path in (world.dir / "relay").rglob("*") if path.is_file()} | {"log": (world.dir / "relay.log").read_bytes()}
    found += [f"a credential is in {place}" for text in (SECRET_KEY, VAULT_TOKEN) for place in where(text, files)]
    if not where(KMS_KEY, files):
        found.append("positive control: the search does not find the name of the key")
    return found


def main():
    if not pathlib.Path("/usr/lib/softhsm/libsofthsm2.so").exists():
        print("SKIPPED: softhsm2 is not installed")
        return 77
    world = World(sys.argv[1], agents=("agent", "other"))
    try:
        found = run(world)
        if found and os.environ.get("SALLYPORT_KEEP"):
            print((world.dir / "relay.log").read_text()[-20000:])
        print("\n".join(found) if found else "keys were attached in four places, revoked and restored in three; no job was lost, nobody else noticed")
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
