#!/usr/bin/env python3
"""A dry run through a real relay, agent and CLI: it reads, counts what SQL would change and undoes it, plans the rest; also across kill -9 of the agent.

dry_run.py BIN
The same recipe as a dry run, as one in whose middle the agent is killed, and for real. After the dry ones no row of SQLite or PostgreSQL, no file and no line of the command is there, seen
by other eyes than the agent's; the history says of each step what became of it, and with which input. A step that needs what another one was only planned to give fails and says so.
Positive control: the real run leaves all of it.
"""
import json
import pathlib
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import Postgres, World, start_pair  # noqa: E402

POLICY = """version: 1
actions: ["sql.*", "file.*", command.run@1, log.write@1, csv.write@1]
connections:
  effects: {{sql: {{verbs: [insert, select, update]}}}}
  effects-server: {{sql: {{verbs: [insert, select, update, delete, ddl]}}}}
  files: {{files: [{{directory: out, allow: [read, write]}}]}}
commands:
  append:
    argv: [{append}, "{{n}}"]
    parameters: {{n: {{characters: [digits]}}}}
"""
HEAD = "run_on: dc1\ntrigger: {uses: manual@1}\ninputs: {secret: {type: text, default: canary-masked}}\n"
RECIPE = "recipe: effects\n" + HEAD + """
steps:
  - {id: before, uses: sql.query@1, connection: effects-server, with: {statement: "select step from effects"}}
  - {id: slow, uses: sql.query@1, connection: effects-server, with: {statement: "select count(*) as n from gate"}}
  - {id: one, uses: sql.execute@1, connection: effects, with: {statement: "insert into effects (n, step) values (1, 'one')"}}
  - id: two
    uses: sql.transaction@1
    connection: effects-server
    with:
      statements:
        - {statement: "insert into effects (n, step) values (2, 'two')"}
        - {statement: "update effects set n = n + 1"}
        - {statement: "create table made (a integer)"}
  - {id: rows, uses: csv.write@1, with: {rows: [{a: 1}, {a: 2}], columns: [a]}}
  - {id: put, uses: file.write@1, connection: files, with: {path: out/rows.csv, source: "${{ steps.rows.output.file }}"}}
  - {id: hidden, uses: file.write@1, connection: files, mask: [input.content], with: {path: out/hidden.txt, content: "${{ inputs.secret }}"}}
  - {id: outside, uses: command.run@1, foreach: "${{ [1, 2] }}", with: {template: append, params: {n: "${{ item }}"}}}
  - {id: said, uses: log.write@1, with: {text: "changed ${{ steps.two.output.affected }}"}}
"""
NEEDS = "recipe: needs\n" + HEAD + """
steps:
  - {id: put, uses: file.write@1, connection: files, with: {path: out/needs.txt, content: x}}
  - {id: said, uses: log.write@1, with: {text: "${{ steps.put.output.file.path }}"}}
"""
PLANS = {"before": "ran", "slow": "ran", "one": "rolled_back", "two": "rolled_back", "rows": "ran", "put": "planned", "hidden": "planned",
         "outside[0]": "planned", "outside[1]": "planned", "outside": "planned", "said": "ran"}
FINAL = ("succeeded", "failed", "cancelled", "timed_out", "in_doubt", "dead")


class Gate:
    """While it is there the step `slow` waits for a lock."""

    def __init__(self, server):
        psql = next(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"))
        self.session = subprocess.Popen([psql, "-h", server.dir, "-p", str(server.port), "-U", "postgres", "-XAtq"], cwd="/", text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, **server.user)
        self.session.stdin.write("begin;\nlock table gate;\nselect 'locked';\n")
        self.session.stdin.flush()
        assert self.session.stdout.readline() == "locked\n"

    def open(self):
        self.session.communicate()


def start(world, recipe, *words):
    return world.run("sallyport", "jobs", "start", recipe, *words).strip()


def wait_until(what, holds):
    deadline = time.monotonic() + 120
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def end_of(world, job):
    return wait_until(f"the end of {job}", lambda: (found := world.read(f"/v1/jobs/{job}"))["state"] in FINAL and found)


def steps_of(world, job):
    return {step["path"]: step for step in world.read(f"/v1/jobs/{job}/steps")["items"]}


def traces(world):
    """What steps left, as their targets tell it."""
    with sqlite3.connect(world.dir / "effects.db") as file:
        found = [f"SQLite: {row}" for row in file.execute("select n, step from effects")]
    found += [f"PostgreSQL: {row}" for row in world.server.sql("select n, step from effects")]
    found += [f"a table of PostgreSQL: {row}" for row in world.server.sql("select to_regclass('made') where to_regclass('made') is not null")]
    found += [f"a ledger of PostgreSQL: {row}" for row in world.server.sql("select 1 where to_regclass('sallyport_effects') is not null")]
    found += [f"file: {path.name}" for path in (world.dir / "files/out").iterdir()]
    if (world.dir / "lines").exists():
        found += [f"the command: {line}" for line in (world.dir / "lines").read_text().split()]
    return found


def faults_of_dry(world, job):
    """What is told of a dry run that came to its end, and what it left."""
    ended, steps = end_of(world, job), steps_of(world, job)
    found = [f"it left {trace}" for trace in traces(world)]
    if (ended["state"], ended["dry_run"]) != ("succeeded", True):
        found.append(f"it ended otherwise: {ended}")
    if (plans := {path: step["plan"] for path, step in steps.items()}) != PLANS:
        found.append(f"the plans are others: {plans}")
        return found
    if steps["one"]["output"] != {"affected": 1} or steps["two"]["output"]["affected"] != 2:
        found.append(f"the counts are others: {steps['one']['output']} {steps['two']['output']}")
    if steps["put"]["input"]["path"] != "out/rows.csv" or steps["outside[1]"]["input"]["params"] != {"n": 2}:
        found.append(f"the inputs are others: {steps['put']['input']} {steps['outside[1]']['input']}")
    shown = world.run("sallyport", "jobs", "show", job)
    if "canary-masked" in json.dumps(steps) + shown:
        found.append("a masked value is shown")
    if "PLAN" not in shown or "manual (dry run: without effects)" not in shown or "rolled_back" not in shown:
        found.append(f"jobs show does not say what it was: {shown}")
    log = world.run("sallyport", "jobs", "log", job)
    if "dry run: not done; a real run would do it" not in log or "changed 2" not in log:
        found.append(f"the log does not say what would be done: {log}")
    return found


def faults_of_needs(world):
    job = start(world, "needs", "--dry-run")
    error = end_of(world, job)["error"] or {}
    said = "what step put would give is not known: a dry run only plans that step"
    return [] if error.get("class") == "output_unknown" and said in error.get("message", "") else [f"it does not say what it lacks: {error}"]


def run(world):
    start_pair(world)
    (world.dir / "needs.yaml").write_text(NEEDS)
    world.run("sallyport", "recipes", "apply", "-f", world.dir / "needs.yaml", "--activate")
    found = faults_of_dry(world, start(world, "effects", "--dry-run"))

    gate = Gate(world.server)
    cut = start(world, "effects", "--dry-run")
    wait_until("the slow step", lambda: steps_of(world, cut).get("slow", {}).get("status") == "running")
    world.kill("agent")
    gate.open()
    world.start("agent")
    found += [f"after kill -9 of the agent: {fault}" for fault in faults_of_dry(world, cut)]
    found += faults_of_needs(world)

    real = start(world, "effects")
    if (ended := end_of(world, real))["state"] != "succeeded" or ended["dry_run"] or any(step["plan"] for step in steps_of(world, real).values()):
        found.append(f"positive control: the real run is told otherwise: {ended}")
    if len(left := traces(world)) != 8:
        found.append(f"positive control: the real run did not leave 8 traces: {left}")
    return found


def main():
    world = World(sys.argv[1], server=Postgres)
    try:
        world.server.sql("create table gate (a integer)")
        (world.dir / "files/out").mkdir(parents=True)
        (world.dir / "agent/policy.yaml").write_text(POLICY.format(append=world.dir / "append"))
        with open(world.dir / "agent/connections.yaml", "a") as connections:
            connections.write(f'  files: {{kind: file, root: "{world.dir}/files"}}\n')
        (world.dir / "recipe.yaml").write_text(RECIPE)
        world.run("sallyport-agent", "config", "check", "--config", world.dir / "agent")
        found = run(world)
        print("\n".join(found) if found else "two dry runs, one of them through kill -9, left nothing; the same for real left 8 traces")
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
