#!/usr/bin/env python3
"""Organisations' own keys, kept in a file, a PKCS#11 token, AWS KMS and Vault, are attached, revoked and restored under a real relay with real agents.

key_revoked.py BIN PKCS11_MODULE
Four organisations, each with an agent and a key of its own of another kind. Jobs run; all keys are revoked while one job of each runs and others wait; nothing of these organisations can be started, their jobs stay as
they are and their agents stay linked, also over a relay's restart, after which the agents link anew. When the keys are restored everything goes on within 60 s: every job that was accepted has succeeded, and every
command has run once. A fifth organisation starts jobs all the time, and each ends in time. Each ledger has each change once, and no file of the relay has the credentials. Then the relay's own master key, in a
Vault of its own, is revoked: no answer to an organisation says where it is kept. Last, a backup of the keys from before all this takes the place of keys.db: refused until the loss is accepted; then whose key is
attached, and not in it, is refused until its owner attaches it again, and who has rotated enrols agents under a new CA. One key is then gone for good, and its owner gives up what is under it. Positive controls: the same starts are accepted before the keys are revoked; the search finds the name of a key; the log and the
platform's answers say where the master key is kept.
"""
import json
import os
import pathlib
import re
import shutil
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
KINDS = ("file", "pkcs11", "aws_kms", "vault")
CANARY = "canary-of-the-platform"
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

    def __init__(self, world, program, revoked, name=None):
        self.folder, self.revoked_mode = world.dir / (name or program), revoked
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


class Forbidden:
    """The token of tests/support/faulty_pkcs11 forbids the use of its keys while a file is there."""

    def __init__(self, path):
        self.path = path

    def revoke(self):
        self.path.touch()

    def restore(self):
        self.path.unlink()


def make_token(world, module):
    """A token of SoftHSM with a key in it, behind a module that can forbid its use."""
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
        settings.write(f"keys:\n  pkcs11: {token_settings(world, '/usr/lib/softhsm/libsofthsm2.so')}\n")
    world.run("sallyport-relay", "keys", "create", "--data", maker)
    world.env["SALLYPORT_PKCS11_FORBIDDEN"] = str(world.dir / "forbidden")
    return Forbidden(world.dir / "forbidden"), token_settings(world, module)


def token_settings(world, module):
    return f'{{module: "{module}", token: acme, key: customer, pin_file: "{world.dir}/pin"}}'


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


def found_places(world, text):
    """Where a text is in the relay's files and log."""
    files = {str(path): path.read_bytes() for path in (world.dir / "relay").rglob("*") if path.is_file()}
    return where(text, files | {"log": (world.dir / "relay.log").read_bytes()})


def is_unavailable(tenant):
    status, answer = tenant.start()
    tenant.n -= 1
    return status == 503 and answer["code"] == "organisation_key_unavailable"


class Paused:
    """What an organisation had under way when its key was revoked."""

    def __init__(self, tenant, key):
        self.tenant, self.key, self.jobs = tenant, key, []
        for _ in range(4):
            status, job = tenant.start()
            assert status == 202, f"{tenant.agent}: positive control: a start was not accepted: {job}"
            self.jobs.append(job["id"])
        self.wait("a job runs", lambda: "running" in self.states())

    def wait(self, what, holds, seconds=60):
        return wait_until(f"{self.tenant.agent}: {what}", holds, seconds)

    def states(self):
        return [self.tenant.state(job) for job in self.jobs]

    def is_refused(self):
        return (self.tenant.own() or {}).get("state") == "refused"

    def settle(self):
        """The key is refused, and nothing goes on from here."""
        self.wait("the key is refused", self.is_refused)
        self.still = self.states()
        if not is_unavailable(self.tenant):
            yield "a start was not refused with the reason"
        if all(state in FINAL for state in self.still):
            yield "nothing was under way when the key was revoked"

    def look(self, turn):
        if (now := self.states()) != self.still:
            yield f"{turn}: jobs went on: {self.still} {now}"
        if not self.tenant.linked():
            yield f"{turn}: the agent is not linked"

    def resume(self, began):
        self.wait("the key is in use again", lambda: self.tenant.own()["state"] == "in_use", began + RESUMED - time.monotonic())
        self.wait("jobs run again", lambda: self.states() != self.still, began + RESUMED - time.monotonic())
        print(f"{self.tenant.agent}: went on after {time.monotonic() - began:.0f} s", flush=True)

    def finish(self):
        self.wait("every job ends", lambda: all(state in FINAL for state in self.states()), 120)
        if set(self.states()) != {"succeeded"}:
            yield f"jobs ended as {self.states()}"


def cycle(world, tenants, neighbour, keys):
    paused = [Paused(tenants[kind], keys[kind]) for kind in KINDS]
    found = []

    def note(looks):
        found.extend(f"{one.tenant.agent}: {fault}" for one in paused for fault in looks(one))

    for one in paused:
        one.key.revoke()
    note(Paused.settle)
    time.sleep(6)
    note(lambda one: one.look("revoked"))
    restart_relay(world, neighbour)
    for one in paused:
        one.wait("the agent links anew", one.tenant.linked)
        one.wait("still refused", lambda: is_unavailable(one.tenant))
    time.sleep(6)
    note(lambda one: one.look("restarted"))
    for one in paused:
        one.key.restore()
    began = time.monotonic()
    for one in paused:
        one.resume(began)
    note(Paused.finish)
    return found


def events(tenant):
    cursor, actions = "", []
    while cursor is not None:
        status, page = tenant.call("GET", f"/v1/audit-events?limit=100{'&cursor=' + cursor if cursor else ''}")
        assert status == 200, page
        actions += [item["event"]["action"] for item in page["items"] if item["event"]["outcome"] == "done"]
        cursor = page["next"]
    return actions


def give_master_key(world, vault):
    """The relay, which does not run, keeps its master key in a Vault whose files have a name that nobody else may hear."""
    settings, before = world.dir / "relay/relay.yaml", world.dir / "relay/relay.yaml.before"
    token = world.dir / f"{CANARY}.token"
    token.write_text(VAULT_TOKEN + "\n")
    token.chmod(0o600)
    before.write_text(settings.read_text())
    with open(settings, "a") as more:
        more.write(f'keys: {{cache: 5s, vault: {{address: "{vault.url}", key: main, token_file: "{token}", ca_file: "{vault.folder}/ca.pem"}}}}\n')
    world.run("sallyport-relay", "keys", "rewrap", "--data", world.dir / "relay", "--from", before)


def declare(world, orgs, keys, token):
    with open(world.dir / "relay/relay.yaml", "a") as settings:
        settings.write(f"""organisation_keys:
  hosts:
    - {{url: "{keys['aws_kms'].url}", ca_file: "{keys['aws_kms'].folder}/ca.pem"}}
    - {{url: "{keys['vault'].url}", ca_file: "{keys['vault'].folder}/ca.pem"}}
  named:
    - {{name: acme-file, organisation: {orgs['file']}, file: {{path: "{keys['file'].path}"}}}}
    - {{name: acme-hsm, organisation: {orgs['pkcs11']}, pkcs11: {token}}}
""")


def attach(tenant, kind, keys):
    words, credentials = {
        "file": (["file", "--name", "acme-file"], None), "pkcs11": (["pkcs11", "--name", "acme-hsm"], None),
        "aws_kms": (["aws_kms", "--region", "eu-central-1", "--key", KMS_KEY, "--endpoint", keys["aws_kms"].url, "--credentials", "-"],
                    f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"),
        "vault": (["vault", "--address", keys["vault"].url, "--key", "main", "--credentials", "-"], VAULT_TOKEN + "\n")}[kind]
    tenant.cli("sallyport", "keys", "attach", *words, stdin=credentials)


def answers_to(tenant, job):
    """{route: what it answers} of routes that read for an organisation or use its keys."""
    document = (pathlib.Path(__file__).resolve().parents[2] / "docs/api/openapi.yaml").read_text()
    paths = [path.replace("{job}", job) for path in re.findall(r"^  (/v1/[^:\n]*):\n(?:    .*\n)*?    get:", document, re.M)]
    asked = [("GET", path, None) for path in paths if "{" not in path and "/platform/" not in path and not path.endswith(("/watch", "/live", "/link"))]
    asked += [("POST", "/v1/jobs", {"recipe_name": "work", "inputs": {"n": 1}}), ("POST", f"/v1/jobs/{job}/rerun", {}), ("POST", "/v1/keys/rotate", {}),
              ("POST", "/v1/organisation/export", {}), ("POST", "/v1/enrolment-tokens", {"group_name": "dc1"}), ("DELETE", "/v1/keys/own?confirm=confirmed", None),
              ("PUT", "/v1/keys/own", {"kind": "file", "name": "acme-file"})]
    return {f"{method} {path}": tenant.call(method, path, body) for method, path, body in asked}


def lose_master_key(world, tenants, master):
    """No organisation learns where the master key is kept from what it is told when that is away."""
    places = (CANARY, master.url.removeprefix("https://"))
    status, job = tenants["file"].start()
    wait_until("a job ends", lambda: tenants["file"].state(job["id"]) == "succeeded")
    master.revoke()
    # Keys that are in memory serve on for 5 s, each version by itself: until then an own key can be detached and attached, and who asks hears that it is in use.
    other = tenants["other"]
    wait_until("the master key is away", lambda: other.start()[0] == 503 and other.call("POST", "/v1/keys/rotate", {})[0] == 503)
    wait_until("who asks for keys hears that they are away", lambda: {world.call("GET", "/v1/platform/keys")[1]["state"], other.call("GET", "/v1/keys")[1]["state"]} == {"unavailable"})
    found, failed = [], 0
    for tenant in (tenants["file"], other):
        answers = answers_to(tenant, job["id"])
        failed += sum(status == 503 for status, _ in answers.values())
        found += [f"{tenant.agent}, {route}: {answer}" for route, answer in answers.items() for place in places if place in json.dumps(answer)]
    if failed < 4:
        found.append(f"positive control: {failed} calls failed only")
    if not (world.dir / "relay.log").read_text().count("master_key.failed") or master.url not in json.dumps(world.call("GET", "/v1/platform/keys")):
        found.append("positive control: neither the log nor the platform says what is away")
    platform, told = world.call("GET", "/v1/platform/keys")[1], other.call("GET", "/v1/keys")[1]
    if platform["state"] != "unavailable" or not platform["reason"] or told["state"] != "unavailable" or not told["reason"] or any(place in told["reason"] for place in places):
        found.append(f"who is told of keys is not told that they are away: {platform} {told}")
    master.restore()
    wait_until("the master key is back", lambda: other.start()[0] == 202)
    return found


def put_aside(world):
    """The newest backup of the keys as it is now: it has each key that was ever used, and none that is attached later."""
    newest = max((world.dir / "relay/keys/backups").glob("keys-*.db"), key=lambda file: file.stat().st_mtime_ns)
    return shutil.copy2(newest, world.dir / "older.db")


def restore_older(world, tenants, keys, older):
    """keys.db is lost, and what takes its place is older than standing keys: nobody goes on without a key that was attached."""
    other, relay = tenants["other"], world.dir / "relay"
    other.cli("sallyport", "keys", "rotate")
    wait_until("the CA's key is under the new version", lambda: other.call("GET", "/v1/keys")[1]["records_to_reseal"] == 0)
    world.kill("relay")
    settings = relay / "relay.yaml"
    settings.write_text(re.sub("lease: .*", "lease: 20s", settings.read_text()))  # what an agent cannot report is not waited for any longer
    words = [world.bin / "sallyport-relay", "keys", "restore", "--data", relay, "--backup", older]
    refused = subprocess.run(words, env=world.env, capture_output=True, text=True)
    found = [] if refused.returncode and "Own keys of organisations, attached since then, are not in it" in refused.stderr else [f"an older backup was not refused: {refused.stderr}"]
    subprocess.run([*words, "--accept-loss"], env=world.env, check=True, capture_output=True)
    world.start("relay")
    world.wait_ready()
    if other.start()[0] != 202:
        found.append("positive control: who has attached no key cannot start a job")
    for kind in ("file", "aws_kms"):
        tenant = tenants[kind]
        if not is_unavailable(tenant) or tenant.own()["state"] != "refused":
            found.append(f"{kind}: goes on without the key that it attached: {tenant.own()}")
        attach(tenant, kind, keys)
        wait_until(f"{kind}: a job ends under the key that is attached again", lambda job=tenant.start()[1]: tenant.state(job["id"]) == "succeeded")
    string = json.loads(other.cli("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
    other.cli("sallyport-agent", "enrol", "--config", world.dir / "late", "-", stdin=string + "\n")
    if "issuing_ca.renew" not in events(other):
        found.append("the ledger does not tell of the new CA")
    found += [f"{name}: the ledger does not tell of the restore" for name in ("file", "aws_kms", "other") if events(tenants[name]).count("keys.restore") != 1]
    return found


def lose_own_key(tenant, key):
    """The organisation's own key is gone for good, in the middle of jobs: its owner gives up what is under it, and goes on."""
    jobs = [tenant.start()[1]["id"] for _ in range(12)]
    wait_until("a job runs", lambda: tenant.state(jobs[0]) == "running")
    key.revoke()
    wait_until("the key is refused", lambda: tenant.own()["state"] == "refused")
    kept = subprocess.run([tenant.world.bin / "sallyport", "keys", "detach", "--confirm"], env=dict(tenant.world.env, SALLYPORT_TOKEN=tenant.token), capture_output=True, text=True)
    found = [] if kept.returncode and tenant.own() else [f"control: a key that is gone was detached: {kept}"]
    waiting = [job for job in jobs if tenant.state(job) == "queued"]
    if not waiting:
        found.append("no job waited when the key went")
    tenant.cli("sallyport", "keys", "detach", "--confirm", "--give-up")
    wait_until("all jobs end", lambda: all(tenant.state(job) in FINAL for job in jobs), 120)
    for job in (tenant.call("GET", f"/v1/jobs/{job}")[1] for job in waiting):
        if (job["state"], (job["error"] or {}).get("class")) != ("failed", "damaged"):
            found.append(f"a job whose data is given up ended otherwise: {job}")
        trigger = tenant.call("GET", f"/v1/jobs/{job['id']}/trigger")[1]["trigger"]
        if trigger.get("code") != "given_up":
            found.append(f"data that is given up is told otherwise: {trigger}")
    tenant.n -= len(waiting)  # they have not worked
    status, job = tenant.start()
    wait_until("a job ends after all", lambda: tenant.state(job["id"]) == "succeeded")
    return found


def run(world, module):
    (world.dir / "work.yaml").write_text(RECIPE)
    world.start("relay")
    world.wait_ready()
    tenants, orgs = {"file": Tenant(world, "file", world.token)}, {"file": world.read("/v1/whoami")["organisation"]["id"]}
    for name in (*KINDS[1:], "other"):
        status, made = world.call("POST", "/v1/organisations", {"name": name, "owner_name": "N", "owner_email": f"n@{name}.example"})
        assert status == 201, made
        tenants[name], orgs[name] = Tenant(world, name, made["secret"]), made["organisation"]["id"]
    world.kill("relay")
    token_key, token = make_token(world, module)
    keys = {"file": Moved(make_file(world)), "pkcs11": token_key, "aws_kms": Server(world, "kms_server", "disabled"),
            "vault": Server(world, "vault_server", "revoked")}
    master = Server(world, "vault_server", "revoked", CANARY)
    neighbour = Neighbour(tenants["other"])
    try:
        give_master_key(world, master)
        declare(world, orgs, keys, token)
        world.start("relay")
        world.wait_ready()
        for tenant in tenants.values():
            tenant.settle()
        wait_until("all agents are linked", lambda: all(tenant.linked() for tenant in tenants.values()))
        neighbour.start()
        older = put_aside(world)
        for kind in KINDS:
            attach(tenants[kind], kind, keys)
        found = cycle(world, tenants, neighbour, keys)
        attach(tenants["vault"], "aws_kms", keys)  # another one takes its place
        for kind in ("pkcs11", "vault"):
            tenants[kind].cli("sallyport", "keys", "detach", "--confirm")
            status, job = tenants[kind].start()
            wait_until("a job ends after all", lambda: tenants[kind].state(job["id"]) == "succeeded")
        neighbour.over.set()
        neighbour.join(60)
        found += lose_master_key(world, tenants, master)
        found += restore_older(world, tenants, keys, older)
        found += lose_own_key(tenants["file"], keys["file"])
    finally:
        neighbour.over.set()
        for server in (keys["aws_kms"], keys["vault"], master):
            server.close()
    return found + neighbour.faults + audit(world, tenants, neighbour)


def audit(world, tenants, neighbour):
    found = [] if neighbour.ended >= 4 else [f"the neighbour ran {neighbour.ended} jobs only"]
    for kind in KINDS:
        tenant = tenants[kind]
        if tenant.worked() != list(range(1, tenant.n + 1)):
            found.append(f"{kind}: commands did not run once each: {tenant.worked()}")
        actions = events(tenant)
        told = {action: actions.count(action) for action in ("keys.attach", "keys.refused", "keys.restored", "keys.detach")}
        missed = int(kind in ("file", "aws_kms"))  # in the backup that was restored
        gone = int(kind == "file")  # for good, in the end
        if told != {"keys.attach": 1 + (kind == "vault") + missed, "keys.refused": 1 + missed + gone, "keys.restored": 1 + missed + gone, "keys.detach": int(kind in ("pkcs11", "vault")) + gone}:
            found.append(f"{kind}: the ledger tells otherwise: {told}")
    found += [f"a credential is in {place}" for text in (SECRET_KEY, VAULT_TOKEN) for place in found_places(world, text)]
    if not found_places(world, KMS_KEY):
        found.append("positive control: the search does not find the name of the key")
    return found


def main():
    if not pathlib.Path("/usr/lib/softhsm/libsofthsm2.so").exists():
        print("SKIPPED: softhsm2 is not installed")
        return 77
    world = World(sys.argv[1], agents=(*KINDS, "other", "late"))
    try:
        found = run(world, sys.argv[2])
        if found and os.environ.get("SALLYPORT_KEEP"):
            print((world.dir / "relay.log").read_text()[-20000:])
        print("\n".join(found) if found else "keys in four places were revoked and restored; no job was lost, nobody else noticed, nobody learnt where the master key is kept")
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
