#!/usr/bin/env python3
"""Kills relay and agent at random while jobs run, and holds the outcome against a ledger outside of both.

kill_loop.py BIN [--plant-fault]; SALLYPORT_KILLS (12) kills, SALLYPORT_SEED replays a run's choices.
Real processes, real TLS, real databases: SQLite and PostgreSQL. Every job inserts rows without any key that could hide a repetition, so a step
that ran twice shows as two rows; a command, which no transaction protects, appends a line to a file. Checked at the end: every job that the API
accepted has succeeded, every transactional step of it has left exactly one row, and the command ran once, or was cut off in the middle, was not
repeated, and its step says so.
--plant-fault edits the ledgers afterwards (a row doubled, a row removed, a line doubled) and succeeds only if the check finds all three.
"""
import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.ports import free_port  # noqa: E402
from support.surroundings import surroundings  # noqa: E402

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
    uses: sql.transaction@1
    connection: effects-server
    with:
      statements:
        - {statement: "insert into effects (n, step) values (:n, 'three-a')", params: {n: "${{ inputs.n }}"}}
        - {statement: "insert into effects (n, step) values (:n, 'three-b')", params: {n: "${{ inputs.n }}"}}
  - id: outside
    uses: command.run@1
    on_in_doubt: skip
    with: {template: append, params: {n: "${{ inputs.n }}"}}
"""
TRANSACTIONAL = {"one", "two-0", "two-1", "two-2", "three-a", "three-b"}
APPEND = """#!/bin/sh
echo "$1" >>"$(dirname "$0")/lines"
"""
AGENT = """version: 1
state_dir: state
"""
CONNECTIONS = """version: 1
connections:
  effects: {{kind: sql, driver: sqlite, file: "{dir}/effects.db", effect_ledger: true}}
  effects-server: {server}
"""
POLICY = """version: 1
actions: [sql.execute@1, sql.transaction@1, command.run@1]
connections:
  effects: {{sql: {{verbs: [insert]}}}}
  effects-server: {{sql: {{verbs: [insert]}}}}
commands:
  append:
    argv: [{append}, "{{n}}"]
    parameters: {{n: {{characters: [digits]}}}}
"""
DEADLINE = 240  # seconds for everything that is under way to end


class Postgres:
    """A PostgreSQL server of its own, which refuses to run as root: then as the package's user."""

    def __init__(self, directory):
        self.port = free_port()
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(self.dir, "postgres", "postgres")
        self.pg("initdb", "-D", self.dir / "data", "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8")
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.dir} -c log_min_messages=panic"
        self.pg("pg_ctl", "-D", self.dir / "data", "-w", "-o", options, "-l", self.dir / "log", "start")

    def pg(self, program, *words):
        path = next(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        done = subprocess.run([path, *map(str, words)], cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, **self.user)
        if done.returncode != 0:
            raise SystemExit(f"{program}: {done.stdout}")
        return done.stdout

    def sql(self, text):
        return [line.split("|") for line in self.pg("psql", "-h", self.dir, "-p", self.port, "-U", "postgres", "-XAtq", "-c", text).splitlines()]

    def connection(self):
        return f"{{kind: sql, driver: postgres, host: 127.0.0.1, port: {self.port}, database: postgres, user: postgres, effect_ledger: true}}"

    def close(self):
        self.pg("pg_ctl", "-D", self.dir / "data", "-m", "immediate", "stop")


class World:
    """A relay and an agent, not started yet. Where a PostgreSQL server is wanted (`server=Postgres`), one ledger is in it, otherwise in SQLite."""

    def __init__(self, binaries, server=None, agents=("agent",)):
        self.bin = pathlib.Path(binaries)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-faults."))
        self.api = free_port()
        self.processes = {}
        self.run("sallyport-relay", "init", "--data", self.dir / "relay", "--organisation", "faults", "--owner", "owner@faults.example",
                 "--api", f"127.0.0.1:{self.api}", "--link", f"127.0.0.1:{free_port()}", "--token-file", self.dir / "token")
        self.root = self.dir / "relay/deployment/root.pem"
        self.token = (self.dir / "token").read_text().strip()
        self.env = surroundings(XDG_CONFIG_HOME=str(self.dir / "config"), SALLYPORT_RELAY=f"https://127.0.0.1:{self.api}",
                                SALLYPORT_TOKEN=self.token, SALLYPORT_ROOT=str(self.root))
        self.dir.chmod(0o755)
        self.server = server(self.dir / "postgres") if server else None
        second = self.server.connection() if server else f"{{kind: sql, driver: sqlite, file: {self.dir}/effects-server.db, effect_ledger: true}}"
        append = self.dir / "append"
        append.write_text(APPEND)
        append.chmod(0o755)
        self.agents = agents
        for agent in agents:
            (self.dir / agent).mkdir()
            (self.dir / agent / "agent.yaml").write_text(AGENT)
            (self.dir / agent / "connections.yaml").write_text(CONNECTIONS.format(dir=self.dir, server=second))
            (self.dir / agent / "policy.yaml").write_text(POLICY.format(append=append))
        if self.server:
            self.server.sql("create table effects (n integer, step text)")
        for name in ("effects.db", "effects-server.db"):
            with sqlite3.connect(self.dir / name) as ledger:
                ledger.execute("create table effects (n integer, step text)")
                ledger.execute("pragma journal_mode = wal")
        (self.dir / "recipe.yaml").write_text(RECIPE)

    def run(self, program, *words, stdin=None):
        done = subprocess.run([self.bin / program, *map(str, words)], input=stdin, env=getattr(self, "env", None), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        if done.returncode != 0:
            raise SystemExit(f"{program} {words[0]}: {done.stderr}")
        return done.stdout

    def start(self, name):
        words = ["sallyport-relay", "serve", "--data", self.dir / name] if name == "relay" else ["sallyport-agent", "run", "--config", self.dir / name]
        log = open(self.dir / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([self.bin / words[0], *map(str, words[1:])], stdout=log, stderr=log, env=self.env)

    def kill(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def context(self):
        return ssl.create_default_context(cafile=self.root)

    def call(self, method, path, body=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.api, context=self.context(), timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if "json" in (answer.getheader("Content-Type") or "") else None
        finally:
            connection.close()

    def read(self, path):
        """The body of a GET, waiting as told when the relay's rate limit is reached."""
        while True:
            status, answer = self.call("GET", path)
            if status == 200:
                return answer
            if status != 429:
                raise SystemExit(f"GET {path}: {status} {answer}")
            time.sleep(0.5)

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
        if self.server:
            self.server.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def start_pair(world, started=None):
    """A relay, enrolled agents in group dc1 (all of them run, or those in `started`), and the recipe active."""
    world.start("relay")
    world.wait_ready()
    world.run("sallyport", "group", "create", "dc1")
    for agent in world.agents:
        string = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
        world.run("sallyport-agent", "enrol", "--config", world.dir / agent, "-", stdin=string + "\n")
        if agent in (started or world.agents):
            world.start(agent)
    world.run("sallyport", "recipes", "apply", "-f", world.dir / "recipe.yaml", "--activate")


def start_jobs(world, accepted, stop, pause=0.03):
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
        time.sleep(pause)


def wait_for_ends(world, accepted):
    deadline = time.monotonic() + DEADLINE
    states = {}
    while time.monotonic() < deadline:
        for n, job in accepted.items():
            if states.get(n) in (None, "queued", "dispatched", "running"):
                states[n] = world.read(f"/v1/jobs/{job}")["state"]
        if not any(state in ("queued", "dispatched", "running") for state in states.values()):
            break
        time.sleep(0.3)
    return states


def count_effects(world):
    """{(n, step): times} over both databases and the command's file."""
    with sqlite3.connect(world.dir / "effects.db") as ledger:
        rows = ledger.execute("select n, step from effects").fetchall()
    if world.server:
        rows += [(int(n), step) for n, step in world.server.sql("select n, step from effects")]
    else:
        with sqlite3.connect(world.dir / "effects-server.db") as ledger:
            rows += ledger.execute("select n, step from effects").fetchall()
    lines = world.dir / "lines"
    rows += [(int(n), "outside") for n in (lines.read_text().split() if lines.exists() else [])]
    return collections.Counter(rows)


def outside_statuses(world, accepted):
    return {n: world.read(f"/v1/jobs/{job}/steps?path=outside")["items"][-1]["status"] for n, job in accepted.items()}


def faults_in(counts, states, statuses):
    found = [f"job {n} ended {state}" for n, state in states.items() if state != "succeeded"]
    found += [f"job {n} step {step} left {counts[n, step]} rows" for n in states for step in sorted(TRANSACTIONAL) if counts[n, step] != 1]
    for n, status in statuses.items():
        if counts[n, "outside"] not in ({"succeeded": {1}, "skipped": {0, 1}}.get(status, set())):
            found.append(f"job {n} step outside is {status} and ran {counts[n, 'outside']} times")
    return found


def tell(world, found):
    if not found:
        return
    print("\n".join(found[:50]))
    for name in ("relay", *world.agents):
        if not (world.dir / f"{name}.log").exists():  # it was not started
            continue
        print(f"--- {name}.log, warnings and errors")
        lines = [line for line in (world.dir / f"{name}.log").read_text(errors="replace").splitlines() if '"level":"info"' not in line]
        print("\n".join(lines[-25:]))


def plant(world, statuses):
    whole = next(n for n, status in sorted(statuses.items()) if status != "skipped")  # one that was cut off may have left no line yet
    with sqlite3.connect(world.dir / "effects.db") as ledger:
        ledger.execute("insert into effects values (0, 'one')")
    world.server.sql("delete from effects where n = 1 and step = 'three-b'")
    with open(world.dir / "lines", "a") as lines:
        lines.write(f"{whole}\n")


def main():
    kills = int(os.environ.get("SALLYPORT_KILLS", "12")) if "--plant-fault" not in sys.argv else 1
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, {kills} kills", flush=True)
    choose = random.Random(seed)
    world = World(sys.argv[1], Postgres)
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

        statuses = outside_statuses(world, {n: accepted[n] for n in states})
        found = faults_in(count_effects(world), states, statuses)
        print(f"{sum(count_effects(world).values())} effects; {list(statuses.values()).count('skipped')} commands cut off in the middle, each said so", flush=True)
        if "--plant-fault" in sys.argv:
            plant(world, statuses)
            planted = set(faults_in(count_effects(world), states, statuses)) - set(found)
            print("planted faults found:", sorted(planted))
            found += [] if len(planted) == 3 else ["the check did not find what was planted"]
        if len(states) < kills:
            found.append("too few jobs ran for the kills to mean anything")
        tell(world, found)
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
