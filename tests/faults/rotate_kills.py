#!/usr/bin/env python3
"""Rotates every level of the keys while the relay is killed at random moments, and reads everything afterwards.

rotate_kills.py BIN [--plant-fault]; SALLYPORT_KILLS (8) kills of the relay and as many of `keys rewrap`, SALLYPORT_SEED replays a run's choices.
Real processes, two organisations, jobs with a history. While the global key and both organisations' keys are rotated as fast as the API answers, the
relay is killed with SIGKILL. Then the global keys are moved from the key's file to a Vault and back by `sallyport-relay keys rewrap`, which is killed, too,
and run again. Checked after each part: every job's trigger and steps are read as they were written, new jobs run, no organisation's key waits for ever to
be wrapped anew and no standing record to be sealed anew, every rotation that was answered stands, and the ledgers are whole.
--plant-fault puts keys.db back as it was before the rotations, and succeeds only if the check finds it.
"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import random
import secrets
import shutil
import sqlite3
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World, start_pair, tell  # noqa: E402

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
POLICY = "version: 1\nactions: [log.write@1]\n"
RECIPE = """recipe: effects
run_on: dc1
trigger: {uses: manual@1}
inputs: {value: {type: text, required: true}}
steps:
  - {id: said, uses: log.write@1, with: {text: "${{ inputs.value }}"}}
"""
FINAL = ("succeeded", "failed", "cancelled", "timed_out", "in_doubt", "dead")
PATIENCE = 60


def wait_until(what, holds):
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.1)
    return found


class Jobs:
    """Jobs of one organisation, and what each was given."""

    def __init__(self, world):
        self.world, self.given = world, {}

    def run(self, count):
        for _ in range(count):
            value = secrets.token_urlsafe(12)
            status, job = self.world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"value": value}})
            assert status == 202, job
            self.given[job["id"]] = value
        for job in self.given:
            wait_until(f"the end of {job}", lambda job=job: self.world.read(f"/v1/jobs/{job}")["state"] in FINAL)

    def faults(self):
        found = []
        for job, value in self.given.items():
            told = {}
            for path in (f"/v1/jobs/{job}/trigger", f"/v1/jobs/{job}/steps", f"/v1/jobs/{job}/events"):
                status, answer = self.world.call("GET", path)
                told[path] = json.dumps(answer) if status == 200 else f"status {status}"
            found += [f"{path} does not tell what was written: {text[:200]}" for path, text in told.items() if value not in text]
        return found


class Rotations:
    """Asks for new versions again and again, and keeps the highest that was answered."""

    def __init__(self, world):
        self.world, self.stop, self.highest = world, threading.Event(), {}

    def run(self, path):
        while not self.stop.is_set():
            try:
                status, answer = self.world.call("POST", path, {})
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.02)
                continue
            if status in (200, 201):
                self.highest[path] = max(self.highest.get(path, 0), *(one["version"] for one in answer["versions"]))
            time.sleep(0.05)


def second_organisation(world):
    """It has a key from the moment that something of it is sealed: an enrolment string."""
    status, made = world.call("POST", "/v1/organisations", {"name": "second", "owner_name": "Otto", "owner_email": "otto@second.example"})
    assert status == 201, made
    theirs = world.env | {"SALLYPORT_TOKEN": made["secret"]}
    for words in (["group", "create", "dc2"], ["agent", "token", "create", "--group", "dc2"]):
        subprocess.run([world.bin / "sallyport", *words], env=theirs, check=True, stdout=subprocess.DEVNULL, timeout=60)


def kill_and_start(world, choose, kills):
    for _ in range(kills):
        time.sleep(choose.uniform(0.02, 0.6))
        world.kill("relay")
        world.start("relay")
        world.wait_ready()


def waiting_is_over(world):
    keys = world.read("/v1/platform/keys")
    return keys["versions_to_rewrap"] == 0 and keys["organisations_to_reseal"] == 0


def older_records(world):
    """Standing records that are not under the newest keys; the versions are in the clear in bytes 2 to 9."""
    with sqlite3.connect(f"file:{world.dir}/relay/keys/keys.db?mode=ro", uri=True) as keys:
        newest = keys.execute("select max(version) from global_keys").fetchone()[0]
        heads = {org: struct.pack(">II", newest, version) for org, version in keys.execute("select org, max(version) from tenant_keys group by org")}
    with sqlite3.connect(f"file:{world.dir}/relay/relay.db?mode=ro", uri=True) as data:
        there = [row for table, column in (("issuing_cas", "sealed_private_key"), ("enrolment_tokens", "sealed_secret"))
                 for row in data.execute(f"select org, '{table}', substr({column}, 3, 8) from {table}")]
    found = [f"a record of {table} of {org} is under {head.hex()}, not {heads[org].hex()}" for org, table, head in there if head != heads[org]]
    return found if there else ["there is no standing record"]


def ledger_faults(world):
    return [f"{path}: {answer}" for path in ("/v1/audit-events/verify", "/v1/platform/audit-events/verify")
            for status, answer in [world.call("GET", path)] if status != 200 or not answer["intact"]]


def rotate_under_kills(world, jobs, choose, kills):
    rotations = Rotations(world)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = [pool.submit(rotations.run, path) for path in ("/v1/platform/keys/rotate", "/v1/keys/rotate")]
        kill_and_start(world, choose, kills)
        time.sleep(0.5)
        rotations.stop.set()
        for one in running:
            one.result()
    wait_until("what is under older keys to be wrapped and sealed anew", lambda: waiting_is_over(world))
    found = older_records(world)
    for path, told in rotations.highest.items():
        there = {one["version"] for one in world.read(path.removesuffix("/rotate"))["versions"]}
        if not set(range(1, told + 1)) <= there:
            found.append(f"{path}: versions up to {told} were answered, and {sorted(there)} are there")
    if len(rotations.highest) != 2:
        found.append(f"nothing was rotated: {rotations.highest}")
    jobs.run(2)
    print(f"rotated under {kills} kills: {rotations.highest}", flush=True)
    return found + jobs.faults() + ledger_faults(world)


class Vault:
    """Vault's Transit engine for tests, as a process."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.process = subprocess.Popen(["/usr/bin/python3", SUPPORT / "vault_server.py", folder, "--port", "0"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.port = wait_until("the vault", lambda: (folder / "port").exists() and (folder / "port").read_text().strip())
        token = folder / "token"
        token.touch(0o600)
        token.write_text("hvs.token-of-the-test\n")

    def settings(self):
        return (f'keys:\n  vault: {{address: "https://127.0.0.1:{self.port}", key: main, token_file: {self.folder}/token, '
                f"ca_file: {self.folder}/ca.pem}}\n")

    def close(self):
        self.process.kill()
        self.process.wait()


def rewrap_under_kills(world, jobs, choose, kills):
    """To the vault and back; each way is begun, killed and begun again until it is through."""
    vault = Vault(world.dir / "vault")
    settings = world.dir / "relay/relay.yaml"
    kept_in_file = settings.read_text()
    found = []
    try:
        for text in (kept_in_file + vault.settings(), kept_in_file):
            world.kill("relay")
            before = world.dir / "relay.yaml.before"
            shutil.copy(settings, before)
            settings.write_text(text)
            words = [world.bin / "sallyport-relay", "keys", "rewrap", "--data", world.dir / "relay", "--from", before]
            for _ in range(kills // 2):
                cut = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=world.env)
                time.sleep(choose.uniform(0.0, 0.4))
                cut.kill()
                cut.wait()
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=world.env)
            if done.returncode != 0:
                return found + [f"keys rewrap: {done.stderr}"]
            world.start("relay")
            world.wait_ready()
            jobs.run(1)
            found += jobs.faults()
        print(f"moved to a vault and back under {2 * (kills // 2)} kills: {done.stdout.strip()}", flush=True)
        return found + ledger_faults(world)
    finally:
        vault.close()


def control(world, jobs, old):
    """An old keys.db in the place of the present one: what is sealed under newer versions does not open."""
    world.kill("relay")
    for name in ("keys.db", "keys.db-wal", "keys.db-shm"):
        (world.dir / "relay/keys" / name).unlink(missing_ok=True)
    shutil.copy(old, world.dir / "relay/keys/keys.db")
    world.start("relay")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and world.processes["relay"].poll() is None:
        try:
            if world.call("GET", "/readyz")[0] == 200:
                found = jobs.faults()
                print(f"the control found {len(found)} faults", flush=True)
                return [] if found else ["positive control: an old keys.db was not noticed"]
        except OSError:
            pass
        time.sleep(0.1)
    if world.processes["relay"].poll() is None:
        return ["positive control: with an old keys.db the relay neither works nor ends"]
    print("the control: the relay does not start on an old keys.db", flush=True)
    return []


def run(world, choose, kills, planted):
    start_pair(world)
    second_organisation(world)
    jobs = Jobs(world)
    jobs.run(4)
    if planted:
        newest = wait_until("a backup of keys.db", lambda: sorted((world.dir / "relay/keys/backups").glob("keys-*.db")))[-1]
        old = shutil.copy(newest, world.dir / "old.db")
        status, answer = world.call("POST", "/v1/platform/keys/rotate", {})
        assert status in (200, 201), answer
        jobs.run(1)  # sealed under the new version
        return control(world, jobs, old)
    return rotate_under_kills(world, jobs, choose, kills) + rewrap_under_kills(world, jobs, choose, kills)


def main():
    kills = int(os.environ.get("SALLYPORT_KILLS", "8"))
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, {kills} kills", flush=True)
    world = World(pathlib.Path(sys.argv[1]).resolve())
    try:
        (world.dir / "agent/policy.yaml").write_text(POLICY)
        (world.dir / "agent/connections.yaml").write_text("version: 1\nconnections: {}\n")
        (world.dir / "recipe.yaml").write_text(RECIPE)
        found = run(world, random.Random(seed), kills, "--plant-fault" in sys.argv)
        tell(world, found)
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
