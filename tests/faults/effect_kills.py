#!/usr/bin/env python3
"""Kills the agent at random in the middle of effects of every kind, and counts at the targets what has happened.

effect_kills.py BIN [--plant-fault]; SALLYPORT_KILLS (12) kills, SALLYPORT_SEED replays a run's choices.
A real relay and agent; the targets are SQLite and PostgreSQL, with and without an effect ledger, files, and HTTP services that know
Idempotency-Key, or do not. PostgreSQL's commits and the services' answers take a moment, so that many kills fall between an effect and what the
agent knows of it. A claim is exactly once, and is checked for each job: one row, one file with the right content, one order. What claims nothing
says so whenever it cannot know: with `skip` by a skipped step, with `retry` by a line in the job's log for each repetition, with `ask` by a job that
is in_doubt; where nothing is said there is one effect.
--plant-fault makes claims that do not hold (a server of keys that forgets them, a ledger that is off), kills in the middle of each, and succeeds
only if the check finds the repeated effects, and a file that is damaged by hand.
"""
import collections
import hashlib
import http.server
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time

from kill_loop import Postgres, World, start_jobs, start_pair, tell, wait_for_ends

RECIPE = """
recipe: effects
run_on: dc1
trigger: {uses: manual@1}
inputs:
  n: {type: integer, required: true}
steps:
  - id: sqlite
    uses: sql.execute@1
    connection: local
    with: {statement: "insert into effects (n, step) values (:n, 'sqlite')", params: {n: "${{ inputs.n }}"}}
  - id: server
    uses: sql.transaction@1
    connection: server%(on_server)s
    with:
      statements:
        - {statement: "insert into effects (n, step) values (:n, 'server-a')", params: {n: "${{ inputs.n }}"}}
        - {statement: "insert into effects (n, step) values (:n, 'server-b')", params: {n: "${{ inputs.n }}"}}
  - id: batch
    uses: sql.batch@1
    connection: server
    with:
      statement: "insert into effects (n, step) values (:n, 'batch-' || cast(:row as text))"
      rows: "${{ [0, 1, 2, 3].map(i, {'n': inputs.n, 'row': string(i)}) }}"
      commit_every: 1
  - id: unkept
    uses: sql.execute@1
    connection: unkept
    on_in_doubt: skip
    with: {statement: "insert into effects (n, step) values (:n, 'unkept')", params: {n: "${{ inputs.n }}"}}
  - id: repeated
    uses: sql.execute@1
    connection: unkept
    on_in_doubt: retry
    with: {statement: "insert into effects (n, step) values (:n, 'repeated')", params: {n: "${{ inputs.n }}"}}
  - id: template
    uses: file.read@1
    connection: share
    with: {path: template}
  - id: write
    uses: file.write@1
    connection: share
    with: {path: "out/${{ inputs.n }}", source: "${{ steps.template.output.file }}"}
  - id: move
    uses: file.move@1
    connection: share
    with: {from: "out/${{ inputs.n }}", to: "done/${{ inputs.n }}"}
  - id: keyed
    uses: http.request@1
    connection: keyed
    with: {method: POST, path: keyed, json: {n: "${{ inputs.n }}"}}
  - id: keyless
    uses: http.request@1
    connection: keyless
    with: {method: POST, path: keyless, json: {n: "${{ inputs.n }}"}}
"""
CLAIMED = ("sqlite", "server-a", "server-b", "batch-0", "batch-1", "batch-2", "batch-3", "write", "keyed")
CONNECTIONS = """version: 1
connections:
  local: {{kind: sql, driver: sqlite, file: "{dir}/effects.db", effect_ledger: true}}
  server: {server}
  unkept: {unkept}
  share: {{kind: file, root: "{dir}/share"}}
  keyed: {{kind: http, url: "http://127.0.0.1:{port}/", idempotency_key: true}}
  keyless: {{kind: http, url: "http://127.0.0.1:{port}/"}}
"""
POLICY = """version: 1
actions: [sql.execute@1, sql.transaction@1, sql.batch@1, "file.*", http.request@1]
connections:
  local: {sql: {verbs: [insert]}}
  server: {sql: {verbs: [insert]}}
  unkept: {sql: {verbs: [insert]}}
  share: {files: [{directory: ".", allow: [read, write, delete]}]}
  keyed: {http: {clear_text: true, addresses: [loopback], allow: [{methods: [POST], paths: ["/keyed"]}]}}
  keyless: {http: {clear_text: true, addresses: [loopback], allow: [{methods: [POST], paths: ["/keyless"]}]}}
"""
SLOW_COMMIT = """create function linger() returns trigger language plpgsql as $$ begin perform pg_sleep({seconds}); return null; end $$;
create constraint trigger linger after insert on effects deferrable initially deferred for each row execute function linger()"""
TEMPLATE = random.Random(1).randbytes(1 << 20)


class Services:
    """Two services that take orders: /keyed does nothing twice for one Idempotency-Key (unless it forgets keys), /keyless looks at none."""

    def __init__(self, choose, forgets_keys=False):
        self.lock = threading.Lock()
        self.orders = collections.Counter()
        self.keys = set()
        self.answers_may_go = threading.Event()
        self.answers_may_go.set()
        services = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                service = self.path.strip("/")
                n = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["n"]
                key = self.headers.get("Idempotency-Key")
                with services.lock:
                    before, after = choose.uniform(0, 0.03), choose.uniform(0, 0.05)
                time.sleep(before)
                with services.lock:
                    if service == "keyless" or forgets_keys or key not in services.keys:
                        services.orders[n, service] += 1
                    services.keys.add(key)
                time.sleep(after)
                services.answers_may_go.wait()
                try:
                    self.send_response(201)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # whoever asked has been killed

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *words: None  # whoever asked has been killed in the middle of it
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.answers_may_go.set()
        self.server.shutdown()


def make_world(binaries, services, plant):
    world = World(binaries, Postgres)
    world.server.sql(SLOW_COMMIT.format(seconds="2" if plant else "random() * 0.03"))
    for place in ("out", "done"):
        (world.dir / "share" / place).mkdir(parents=True)
    (world.dir / "share/template").write_bytes(TEMPLATE)
    kept = world.server.connection()
    unkept = kept.replace("effect_ledger: true", "effect_ledger: false")
    (world.dir / "agent/connections.yaml").write_text(
        CONNECTIONS.format(dir=world.dir, port=services.port, server=unkept if plant else kept, unkept=unkept))
    (world.dir / "agent/policy.yaml").write_text(POLICY)
    (world.dir / "recipe.yaml").write_text(RECIPE % {"on_server": "\n    on_in_doubt: retry" if plant else ""})
    start_pair(world)
    return world


def count_effects(world, services):
    """{(n, effect): times} at the targets. A file that is not what it should be, or not where, is an effect that nobody ordered."""
    with sqlite3.connect(world.dir / "effects.db") as ledger:
        rows = ledger.execute("select n, step from effects").fetchall()
    rows += [(int(n), step) for n, step in world.server.sql("select n, step from effects")]
    whole = hashlib.sha256(TEMPLATE).digest()
    for file in (world.dir / "share").rglob("*"):
        if file.is_dir() or file.name == "template":
            continue
        good = file.parent.name == "done" and hashlib.sha256(file.read_bytes()).digest() == whole
        rows.append((int(file.name), "write") if good else (-1, f"file {file.relative_to(world.dir / 'share')}"))
    with services.lock:
        return collections.Counter(rows) + services.orders


def read_history(world, accepted):
    """{n: {step: (status, times that it says to have been run again)}}."""
    told = {}
    for n, job in accepted.items():
        lines = [line for line in world.read(f"/v1/jobs/{job}/events?limit=1000")["items"] if line["kind"] == "step.log" and "run again" in str(line["text"])]
        told[n] = {step["path"]: (step["status"], sum(line["path"] == step["path"] for line in lines))
                   for step in world.read(f"/v1/jobs/{job}/steps")["items"]}
    return told


def allowed_times(step, told):
    """How often the effect of a step that claims nothing may have happened, by what its job says of it."""
    status, again = told.get(step, ("not_run", 0))
    return {"succeeded": range(1, 2 + again), "skipped": range(0, 2), "in_doubt": range(0, 2)}.get(status, range(0))


def faults_in(counts, states, history):
    found = [f"there is a {effect}" for n, effect in counts if n < 0]
    for n, state in states.items():
        doubt = history[n].get("keyless", ("", 0))[0] == "in_doubt"
        if state != ("in_doubt" if doubt else "succeeded"):
            found.append(f"job {n} ended {state}: {history[n]}")
        found += [f"job {n}: {counts[n, claim]} times {claim}" for claim in CLAIMED if counts[n, claim] != 1]
        found += [f"job {n}: {counts[n, step]} times {step}, which says {history[n].get(step)}"
                  for step in ("unkept", "repeated", "keyless") if counts[n, step] not in allowed_times(step, history[n])]
    return found


def tell_figures(counts, states, history):
    again = collections.Counter()
    for told in history.values():
        again.update({step: times for step, (_, times) in told.items() if times})
    print(f"{len(states)} jobs with {sum(counts.values())} effects; steps run again after a kill: {dict(sorted(again.items()))}")
    print(f"in_doubt: {list(states.values()).count('in_doubt')} jobs (of which {sum(counts[n, 'keyless'] for n in states if states[n] == 'in_doubt')} had "
          f"the effect); skipped: {sum(told.get('unkept', ('', 0))[0] == 'skipped' for told in history.values())} steps; "
          f"repeated as told to: {sum(counts[n, 'repeated'] > 1 for n in states)} effects", flush=True)
    return again


def tell_stuck(world, accepted, states):
    """Everything that both sides have said of jobs that did not end."""
    for n, state in states.items():
        if state not in ("queued", "dispatched", "running"):
            continue
        print(f"job {n} is {state}:", json.dumps(world.read(f"/v1/jobs/{accepted[n]}/events?limit=1000")["items"]))
        for name in ("relay", "agent"):
            lines = (world.dir / f"{name}.log").read_text(errors="replace").splitlines()
            print("\n".join(f"{name}: {line}" for line in lines if accepted[n] in line))


def kill_at_random(world, services, choose, kills):
    accepted, stop = {}, threading.Event()
    starter = threading.Thread(target=start_jobs, args=(world, accepted, stop, 0.2))
    starter.start()
    for _ in range(kills):
        time.sleep(choose.uniform(0.3, 2.0))
        world.kill("agent")
        time.sleep(choose.uniform(0.0, 0.2))
        world.start("agent")
    stop.set()
    starter.join()
    states = wait_for_ends(world, accepted)
    tell_stuck(world, accepted, states)
    history = read_history(world, {n: accepted[n] for n in states})
    counts = count_effects(world, services)
    again = tell_figures(counts, states, history)
    found = faults_in(counts, states, history)
    if len(states) < kills:
        found.append("too few jobs ran for the kills to mean anything")
    if kills >= 10 and not again:
        found.append("no kill met a step")
    return found


def wait_until(holds, what):
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain until {what}")
        time.sleep(0.02)


def restart_agent(world):
    world.kill("agent")
    world.start("agent")


def break_claims(world, services):
    """One job, killed after its effects in PostgreSQL and at the keyed service, and before it could know of them."""
    status, answer = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": 0}})
    if status not in (200, 202):
        raise SystemExit(f"POST /v1/jobs: {status} {answer}")
    wait_until(lambda: world.server.sql("select 1 from pg_stat_activity where wait_event = 'PgSleep'"), "the server commits")
    world.processes["agent"].send_signal(signal.SIGSTOP)  # the server would notice that a client is gone, and commit nothing
    wait_until(lambda: world.server.sql("select 1 from effects where step = 'server-b'"), "the server has committed")
    restart_agent(world)
    services.answers_may_go.clear()
    wait_until(lambda: services.orders[0, "keyed"], "the order has come")
    restart_agent(world)
    wait_until(lambda: services.orders[0, "keyed"] > 1, "the order has come again")
    services.answers_may_go.set()
    accepted = {0: answer["id"]}
    states = wait_for_ends(world, accepted)
    with open(world.dir / "share/done/0", "r+b") as file:
        file.write(b"damaged")
    found = faults_in(count_effects(world, services), states, read_history(world, accepted))
    print("planted faults found:", found)
    wanted = {"there is a file done/0", "job 0: 2 times server-a", "job 0: 2 times server-b", "job 0: 2 times keyed", "job 0: 0 times write"}
    return [] if set(found) == wanted else [f"the check found {found}"]


def main():
    plant = "--plant-fault" in sys.argv
    kills = int(os.environ.get("SALLYPORT_KILLS", "12"))
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, {2 if plant else kills} kills", flush=True)
    choose = random.Random(seed)
    services = Services(random.Random(seed + 1), forgets_keys=plant)
    world = make_world(sys.argv[1], services, plant)
    try:
        found = break_claims(world, services) if plant else kill_at_random(world, services, choose, kills)
        tell(world, found)
        return 1 if found else 0
    finally:
        world.close()
        services.close()


if __name__ == "__main__":
    sys.exit(main())
