#!/usr/bin/env python3
"""Kills relay and agent at random while jobs run, and holds the outcome against a ledger outside of both.

kill_loop.py BIN [--plant-fault]; SALLYPORT_KILLS (12) kills, SALLYPORT_SEED replays a run's choices.
Real processes, real TLS, a real database. Every job inserts rows without any key that could hide a repetition, so a step that ran twice shows
as two rows. Checked at the end: every job that the API accepted has succeeded, and every step of it has left exactly one row.
--plant-fault edits the ledger afterwards (one row doubled, one removed) and succeeds only if the check finds both.
"""
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

RECIPE = """
recipe: effects
run_on: dc1
trigger: {uses: manual@1}
inputs:
  n: {type: integer, required: true}
steps:
  - id: one
    uses: sql.execute@1
    connection: effects
    with: {statement: "insert into effects (n, step) values (:n, 'one')", params: {n: "${{ inputs.n }}"}}
  - id: two
    uses: sql.execute@1
    connection: effects
    foreach: ${{ [0, 1, 2] }}
    with:
      statement: "insert into effects (n, step) values (:n, 'two-' || :item)"
      params: {n: "${{ inputs.n }}", item: "${{ item }}"}
  - id: three
    uses: sql.execute@1
    connection: effects
    with: {statement: "insert into effects (n, step) values (:n, 'three')", params: {n: "${{ inputs.n }}"}}
"""
STEPS = {"one", "two-0", "two-1", "two-2", "three"}
AGENT = {
    "agent.yaml": "version: 1\nstate_dir: state\n",
    "connections.yaml": "version: 1\nconnections:\n  effects: {kind: sql, driver: sqlite, file: effects.db, effect_ledger: true}\n",
    "policy.yaml": "version: 1\nactions: [sql.execute@1]\nconnections:\n  effects:\n    sql: {verbs: [insert]}\n",
}
DEADLINE = 240  # seconds for everything that is under way to end


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    def __init__(self, binaries):
        self.bin = pathlib.Path(binaries)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-faults."))
        self.api = free_port()
        self.processes = {}
        self.run("sallyport-relay", "init", "--data", self.dir / "relay", "--organisation", "faults", "--owner", "owner@faults.example",
                 "--api", f"127.0.0.1:{self.api}", "--link", f"127.0.0.1:{free_port()}", "--token-file", self.dir / "token")
        self.root = self.dir / "relay/deployment/root.pem"
        self.token = (self.dir / "token").read_text().strip()
        self.env = {**os.environ, "XDG_CONFIG_HOME": str(self.dir / "config"), "SALLYPORT_RELAY": f"https://127.0.0.1:{self.api}",
                    "SALLYPORT_TOKEN": self.token, "SALLYPORT_ROOT": str(self.root)}
        agent = self.dir / "agent"
        agent.mkdir()
        for name, text in AGENT.items():
            (agent / name).write_text(text)
        with sqlite3.connect(agent / "effects.db") as ledger:
            ledger.execute("create table effects (n integer, step text)")
            ledger.execute("pragma journal_mode = wal")
        (self.dir / "recipe.yaml").write_text(RECIPE)

    def run(self, program, *words, stdin=None):
        return subprocess.run([self.bin / program, *map(str, words)], input=stdin, env=getattr(self, "env", None), check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60).stdout

    def start(self, name):
        words = {"relay": ["sallyport-relay", "serve", "--data", self.dir / "relay"],
                 "agent": ["sallyport-agent", "run", "--config", self.dir / "agent"]}[name]
        log = open(self.dir / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([self.bin / words[0], *map(str, words[1:])], stdout=log, stderr=log, env=self.env)

    def kill(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def call(self, method, path, body=None):
        context = ssl.create_default_context(cafile=self.root)
        connection = http.client.HTTPSConnection("127.0.0.1", self.api, context=context, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if "json" in (answer.getheader("Content-Type") or "") else None
        finally:
            connection.close()

    def wait_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("the relay did not become ready")

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def start_pair(world):
    """A relay, an enrolled agent in group dc1, and the recipe active."""
    world.start("relay")
    world.wait_ready()
    world.run("sallyport", "group", "create", "dc1")
    string = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
    world.run("sallyport-agent", "enrol", "--config", world.dir / "agent", "-", stdin=string + "\n")
    world.start("agent")
    world.run("sallyport", "recipes", "apply", "-f", world.dir / "recipe.yaml", "--activate")


def start_jobs(world, accepted, stop):
    """Starts jobs until told to stop. An answer that got lost is asked for again: the event key makes that safe."""
    n = 0
    while not stop.is_set():
        try:
            status, answer = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": n}, "event_key": f"n{n}"})
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.05)
            continue
        if status in (200, 202):
            accepted[n] = answer["id"]
            n += 1
        time.sleep(0.03)


def wait_for_ends(world, accepted):
    deadline = time.monotonic() + DEADLINE
    states = {}
    while time.monotonic() < deadline:
        for n, job in accepted.items():
            if states.get(n) in (None, "queued", "dispatched", "running"):
                states[n] = world.call("GET", f"/v1/jobs/{job}")[1]["state"]
        if not any(state in ("queued", "dispatched", "running") for state in states.values()):
            break
        time.sleep(0.3)
    return states


def faults_in(ledger, states):
    found = [f"job {n} ended {state}" for n, state in states.items() if state != "succeeded"]
    counts = dict(((n, step), count) for n, step, count in ledger.execute("select n, step, count(*) from effects group by n, step"))
    found += [f"job {n} step {step} left {counts.get((n, step), 0)} rows" for n in states for step in sorted(STEPS) if counts.get((n, step), 0) != 1]
    return found


def main():
    kills = int(os.environ.get("SALLYPORT_KILLS", "12")) if "--plant-fault" not in sys.argv else 1
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, {kills} kills", flush=True)
    choose = random.Random(seed)
    world = World(sys.argv[1])
    try:
        start_pair(world)

        accepted, stop = {}, threading.Event()
        starter = threading.Thread(target=start_jobs, args=(world, accepted, stop))
        starter.start()
        for _ in range(kills):
            time.sleep(choose.uniform(0.02, 1.5))
            victim = choose.choice(["relay", "agent"])
            world.kill(victim)
            time.sleep(choose.uniform(0.0, 0.3))
            world.start(victim)
        time.sleep(1)
        stop.set()
        starter.join()
        world.wait_ready()
        began = time.monotonic()
        states = wait_for_ends(world, accepted)
        print(f"{len(states)} jobs accepted; all ended {time.monotonic() - began:.1f} s after the last start", flush=True)

        ledger = sqlite3.connect(world.dir / "agent/effects.db")
        found = faults_in(ledger, states)
        if "--plant-fault" in sys.argv:
            ledger.execute("insert into effects values (0, 'one')")
            ledger.execute("delete from effects where n = 1 and step = 'two-1'")
            planted = set(faults_in(ledger, states)) - set(found)
            print("planted faults found:", sorted(planted))
            found += [] if len(planted) == 2 else ["the check did not find what was planted"]
        if len(states) < kills:
            found.append("too few jobs ran for the kills to mean anything")
        if found:
            print("\n".join(found[:50]))
            for name in ("relay", "agent"):
                print(f"--- {name}.log, warnings and errors")
                lines = [line for line in (world.dir / f"{name}.log").read_text(errors="replace").splitlines() if '"level":"info"' not in line]
                print("\n".join(lines[-25:]))
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
