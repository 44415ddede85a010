#!/usr/bin/env python3
"""A password that the relay keeps for its agents and cannot read, through real processes and a real PostgreSQL server.

system_keys.py BIN
A connection whose password is a system key fails with what to do before there is one, works when it was set on a workstation, goes on with the new password after
the old one was replaced, and fails again when it was removed. An agent that is revoked forgets it. With the relay away and the agent killed the password is still there. The password, searched in every
form (raw, JSON, URL, hex, base64 at any offset), is in no file of the relay, in no log, in none of the agent's files and in no answer of the API. Positive control: a
job's event key, which the relay keeps in clear, is found.
A relay that shows one agent's sealing key for another's, or one of its own, is refused by the CLI, and nothing is set. Positive control: the same with the relay's own
rows is not refused.
"""
import json
import pathlib
import secrets
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import Postgres, World, start_pair, tell  # noqa: E402
from support.canaries import where  # noqa: E402

CONNECTIONS = """version: 1
connections:
  erp: {{kind: sql, driver: postgres, host: 127.0.0.1, port: {port}, database: postgres, user: erp, password_system_key: erp-db}}
"""
POLICY = """version: 1
actions: [sql.query@1]
connections:
  erp: {sql: {verbs: [select]}}
"""
RECIPE = """recipe: effects
run_on: dc1
trigger: {uses: manual@1}
steps:
  - {id: asked, uses: sql.query@1, connection: erp, with: {statement: "select current_user as who"}}
"""
AGENTS = ("agent", "second")


def wait_until(what, holds):
    deadline = time.monotonic() + 60
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.1)
    return found


def set_password(server, password):
    server.sql(f"alter role erp password '{password}'")


def prepare(world, password):
    rules = world.server.dir / "data/pg_hba.conf"
    rules.write_text("host all erp 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    world.server.sql("create role erp login")
    world.server.sql("select pg_reload_conf()")
    set_password(world.server, password)
    for agent in AGENTS:
        (world.dir / agent / "connections.yaml").write_text(CONNECTIONS.format(port=world.server.port))
        (world.dir / agent / "policy.yaml").write_text(POLICY)
    (world.dir / "recipe.yaml").write_text(RECIPE)


def run_job(world, key=""):
    status, job = world.call("POST", "/v1/jobs", {"recipe_name": "effects"} | ({"event_key": key} if key else {}))
    assert status in (200, 202), job
    ended = wait_until("the end of a job", lambda: (found := world.read(f"/v1/jobs/{job['id']}"))["state"] in ("succeeded", "failed") and found)
    return ended["state"], ended["error"]


def cli(world, *words, stdin=None):
    return subprocess.run([world.bin / "sallyport", *words], input=stdin, env=world.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def set_key(world, password):
    return cli(world, "system-keys", "set", "erp-db", "--group", "dc1", stdin=password + "\n")


def states(world):
    return sorted(agent["state"] for agent in world.read("/v1/system-keys/erp-db")["agents"])


def group_id(world):
    return world.read("/v1/groups?name=dc1")["items"][0]["id"]


def wait_for_sealing_keys(world):
    path = f"/v1/sealing-keys?group={group_id(world)}"
    wait_until("the agents' sealing keys", lambda: all(one["statement"] for one in world.read(path)["items"]))


def places_of(world):
    places = {}
    for root in ("relay", *(f"{agent}/state" for agent in AGENTS)):
        places |= {str(path.relative_to(world.dir)): path.read_bytes() for path in (world.dir / root).rglob("*") if path.is_file()}
    for name in ("relay", *AGENTS):
        places[f"{name}.log"] = (world.dir / f"{name}.log").read_bytes()
    for path in ("/v1/system-keys", "/v1/system-keys/erp-db", f"/v1/sealing-keys?group={group_id(world)}", "/v1/audit-events", "/v1/connections", "/v1/agents", "/v1/jobs"):
        places[path] = json.dumps(world.read(path), ensure_ascii=False).encode()
    return places


def copies_in_answers(world, places):
    """No API gives back what was sealed, neither as the relay keeps it nor as the workstation made it."""
    with sqlite3.connect(f"file:{world.dir}/relay/relay.db?mode=ro", uri=True) as database:
        kept = [row[0] for row in database.execute("select sealed_copy from system_key_copies")]
    held = [key["sealed"] for agent in AGENTS for key in json.loads((world.dir / agent / "state/system-keys").read_text())["keys"]]
    answers = {place: content for place, content in places.items() if place.startswith("/v1/")}
    found = [place for place, content in answers.items() for text in held if text.encode() in content]
    found += [place for copy in kept for place in where(copy.hex(), answers)]
    assert kept and held, "there are no copies to look for"
    return found


def fingerprints(world):
    return {world.run("sallyport-agent", "sealing-key", "show", "--config", world.dir / agent).split()[0] for agent in AGENTS}


def faults_in_use(world, old, new, plain):
    found = []
    state, error = run_job(world)
    if state != "failed" or "erp" not in error["message"]:
        found.append(f"without the system key the job did not fail clearly: {state} {error}")
    logs = "".join((world.dir / f"{agent}.log").read_text() for agent in AGENTS)
    if "sallyport system-keys set erp-db" not in logs:
        found.append("the agent's log does not say what to do without the system key")
    wait_for_sealing_keys(world)
    done = set_key(world, old)
    if done.returncode != 0 or not all(one in done.stdout for one in fingerprints(world)):
        found.append(f"the key was not set, or its fingerprints are others than the agents': {done}")
    wait_until("agents that hold the key", lambda: states(world) == ["held", "held"])
    for _ in range(4):
        if run_job(world, plain)[0] != "succeeded" or run_job(world)[0] != "succeeded":
            found.append("with the system key a job failed")
    places = places_of(world)
    found += [f"the password leaked: {place}" for place in where(old, places)]
    found += [f"a copy is given back by {place}" for place in copies_in_answers(world, places)]
    if "relay/relay.db-wal: raw" not in where(plain, places):
        found.append("positive control: the search did not find what is kept in clear")
    set_password(world.server, new)
    set_key(world, new)
    wait_until("agents that hold the new version", lambda: states(world) == ["held", "held"])
    if run_job(world)[0] != "succeeded":
        found.append("with the new password a job failed")
    found += [f"the new password leaked: {place}" for place in where(new, places_of(world))]
    return found


def faults_alone(world):
    """The agent was killed and the relay is away: what it needs is on its disk."""
    for name in (*AGENTS, "relay"):
        world.kill(name)
    done = subprocess.run([world.bin / "sallyport-agent", "doctor", "--config", world.dir / "agent"], env=world.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120)
    found = [f"the doctor does not say {words!r}: {done.stdout}" for words in ("erp-db opens", "erp (sql) works") if words not in done.stdout]
    return found


def edit(world, *statements):
    with sqlite3.connect(world.dir / "relay/relay.db") as database:
        for statement in statements:
            database.execute(*statement)
    database.close()


def faults_in_dishonesty(world, password):
    """Neither process runs. The relay's rows are changed as somebody who holds its disk could."""
    found = []
    with sqlite3.connect(world.dir / "relay/relay.db") as database:
        (first, one), (second, two) = database.execute("select agent, statement from sealing_keys order by agent").fetchall()
    point = 5  # where the public point begins
    bent = {"another agent's statement": two, "another agent's point": one[:point] + two[point:point + 65] + one[point + 65:], "another generation": one[:4] + b"\x09" + one[5:]}
    put = "update sealing_keys set statement = ? where agent = ?"
    version = None
    for what, statement in {"the relay's own rows": one, **bent}.items():
        edit(world, (put, (statement, first)))
        world.start("relay")
        world.wait_ready()
        done = set_key(world, password)
        now = world.read("/v1/system-keys/erp-db")["version"]
        if what in bent and (done.returncode == 0 or "nothing was sealed or set" not in done.stderr or now != version):
            found.append(f"{what} was not refused: {done}")
        if what not in bent and done.returncode != 0:
            found.append(f"positive control: {what} are refused: {done}")
        version = now
        world.kill("relay")
    edit(world, (put, (one, first)))
    return found


def faults_after_removal(world):
    for name in ("relay", *AGENTS):
        world.start(name)
    world.wait_ready()
    wait_until("agents that hold the key", lambda: states(world) == ["held", "held"])
    found = [] if run_job(world)[0] == "succeeded" else ["after everything was killed a job failed"]
    world.run("sallyport", "system-keys", "remove", "erp-db")
    wait_until("agents that forgot the key", lambda: not any("erp-db" in (world.dir / agent / "state/system-keys").read_text() for agent in AGENTS))
    state, error = run_job(world)
    if state != "failed" or "erp" not in error["message"]:
        found.append(f"without its system key a job did not fail clearly: {state} {error}")
    ledger = json.dumps(world.read("/v1/audit-events"))
    found += [f"the ledger does not have {action}" for action in ("system_key.set", "system_key.remove") if f'"{action}"' not in ledger]
    return found


def faults_after_revocation(world, password):
    """A revoked agent keeps nothing on its disk; the other one's files, which the search finds, are the positive control."""
    set_key(world, password)
    wait_until("agents that hold the key", lambda: states(world) == ["held", "held"])
    world.run("sallyport", "agent", "revoke", world.read("/v1/agents")["items"][0]["id"])
    told = wait_until("the word of the revoked agent", lambda: [name for name in AGENTS if "system_keys.forgotten" in (world.dir / f"{name}.log").read_text()])
    left = sorted(f"{name}/{file}" for name in AGENTS for file in ("sealing-keys", "system-keys") if (world.dir / name / "state" / file).exists())
    other, = set(AGENTS) - set(told)
    return [] if left == [f"{other}/sealing-keys", f"{other}/system-keys"] else [f"after {told} was revoked there are {left}"]


def main():
    world = World(sys.argv[1], server=Postgres, agents=AGENTS)
    old, new, plain = ("c" + "".join(secrets.choice("abc/+ äöü\"=") for _ in range(6)) + secrets.token_hex(16) for _ in range(3))
    found = ["not finished"]
    try:
        prepare(world, old)
        start_pair(world)
        found = faults_in_use(world, old, new, plain)
        found += faults_alone(world)
        found += faults_in_dishonesty(world, new)
        found += faults_after_removal(world)
        found += faults_after_revocation(world, new)
    finally:
        tell(world, found)
        world.close()
    print("\n".join(found) or "system keys: used by two agents, rotated, removed, forgotten, and nowhere to be read")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
