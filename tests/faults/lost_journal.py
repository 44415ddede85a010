#!/usr/bin/env python3
"""An agent that is killed in the middle of jobs and comes back without its journal, or with an older copy of it.

lost_journal.py BIN [--plant-fault]. Each time the agent holds a job that it started itself (a file appeared) and one that the relay gave it; the
command of each is at work when the agent is killed. Once its journal is intact, once it is deleted, once a backup from before the jobs is put in its
place. With the journal intact both jobs go on. Without it the agent's own job must end within seconds, in doubt, with a class and a message that the API
shows; the other one must change hands without its command being repeated in silence; and the ledger must tell of it once.
--plant-fault lets the relay forget which journal the agent had, by editing its database, and succeeds only if the check then finds a job that stays
"running" and a command that ran twice.
"""
import shutil
import sqlite3
import sys
import time

from kill_loop import World, start_pair, tell

HOLD = """#!/bin/sh
here="$(dirname "$0")"
echo "$1" >>"$here/lines"
while [ ! -e "$here/go" ]; do sleep 0.1; done
"""
STEPS = """
steps:
  - id: hold
    uses: command.run@1
    on_in_doubt: skip
    with: {template: hold, params: {name: "%s"}}
"""
LEASED = "recipe: leased\nrun_on: dc1\ntrigger: {uses: manual@1}\ninputs: {name: {type: text, required: true}}\n" + STEPS % "${{ inputs.name }}"
OWN = ("recipe: own\nrun_on: dc1\ntrigger: {uses: file.watch@1, connection: inbox, with: {path: in, pattern: '*.txt', settle: 200ms}}\n" +
       STEPS % "${{ trigger.file.name }}")
CONNECTIONS = "version: 1\nconnections:\n  inbox: {kind: file, root: share}\n"
POLICY = """version: 1
actions: [file.watch@1, command.run@1]
connections:
  inbox: {{files: [{{directory: in, allow: [read]}}]}}
commands:
  hold:
    argv: [{hold}, "{{name}}"]
    parameters: {{name: {{characters: [letters, digits], also: "._-"}}}}
"""
DEADLINE = 60  # seconds for each thing that is waited for
LINGERS = 12  # seconds after which a job that still runs is stuck: the agent has been linked for long
OPEN = ("queued", "dispatched", "running")


def wait_until(holds, what):
    deadline = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain until {what}")
        time.sleep(0.1)


def make_world(binaries):
    world = World(binaries)
    hold = world.dir / "hold"
    hold.write_text(HOLD)
    hold.chmod(0o755)
    (world.dir / "agent/share/in").mkdir(parents=True)
    (world.dir / "agent/connections.yaml").write_text(CONNECTIONS)
    (world.dir / "agent/policy.yaml").write_text(POLICY.format(hold=hold))
    (world.dir / "recipe.yaml").write_text(LEASED)
    (world.dir / "own.yaml").write_text(OWN)
    start_pair(world)
    world.run("sallyport", "recipes", "apply", "-f", world.dir / "own.yaml", "--activate")
    return world


def journal_files(world):
    return sorted((world.dir / "agent/state").glob("journal.db*"))


def runs(world, job):
    steps = world.read(f"/v1/jobs/{job}/steps")["items"]
    return bool(steps) and steps[-1]["status"] == "running"


def times_run(world, name):
    lines = world.dir / "lines"
    return lines.read_text().split().count(name) if lines.exists() else 0


def begin(world, name):
    """The ids of a job of the agent's own and of a leased one, both in the middle of their command, and the relay knows."""
    (world.dir / "go").unlink(missing_ok=True)
    known = {job["id"] for job in world.read("/v1/jobs")["items"]}
    trigger = world.dir / f"agent/share/in/{name}.txt"
    trigger.write_text(name)
    status, answer = world.call("POST", "/v1/jobs", {"recipe_name": "leased", "inputs": {"name": name}})
    if status not in (200, 202):
        raise SystemExit(f"POST /v1/jobs: {status} {answer}")
    leased = answer["id"]
    own = []
    wait_until(lambda: own.extend(job["id"] for job in world.read("/v1/jobs")["items"] if job["id"] not in known | {leased}) or own,
               "the file starts a job")
    wait_until(lambda: runs(world, own[0]) and runs(world, leased), "both commands are at work")
    trigger.unlink()  # a new journal would take it for a new file
    return own[0], leased


def come_back(world):
    """Seconds until the agent is linked again. What ran is gone for good, the commands that it left behind too."""
    (world.dir / "go").touch()
    began = time.monotonic()
    world.start("agent")
    wait_until(lambda: world.read("/v1/agents")["items"][0]["link"], "the agent is linked again")
    return time.monotonic() - began


def losses(world):
    return [row["event"]["detail"]["found"] for row in world.read("/v1/audit-events?action=journal.lost")["items"]]


def wait_for_end(world, job):
    """The job as it is when it has ended, or is given up on."""
    deadline = time.monotonic() + LINGERS
    while time.monotonic() < deadline:
        told = world.read(f"/v1/jobs/{job}")
        if told["state"] not in OPEN:
            break
        time.sleep(0.1)
    return told


def faults_of_own(told, lost):
    error = told.get("error") or {}
    if not lost:
        return [] if told["state"] == "succeeded" else [f"the agent's own job is {told['state']} ({error}) although its journal was there"]
    found = [] if told["state"] == "in_doubt" else [f"the agent's own job is {told['state']}"]
    found += [] if error.get("class") == "journal_lost" else [f"its error is {error}"]
    found += [] if "lost the journal" in str(error.get("message")) else [f"its message is {error.get('message')}"]
    return found


def faults_of_leased(world, job, name):
    told = wait_for_end(world, job)
    found = [] if told["state"] == "succeeded" else [f"the leased job is {told['state']}: {told.get('error')}"]
    steps = world.read(f"/v1/jobs/{job}/steps")["items"]
    found += [] if steps[-1]["status"] == "skipped" else [f"its command is {steps[-1]['status']}: nobody says that it is in doubt"]
    return found + ([] if times_run(world, name) == 1 else [f"its command ran {times_run(world, name)} times"])


def round_trip(world, name, lose, lost):
    before = len(losses(world))
    own, leased = begin(world, name)
    world.kill("agent")
    lose(world)
    back = come_back(world)
    began = time.monotonic()
    found = faults_of_own(wait_for_end(world, own), lost)
    print(f"{name}: linked after {back:.1f} s, its own job had ended {time.monotonic() - began:.1f} s later", flush=True)
    found += faults_of_leased(world, leased, name)
    if len(losses(world)) - before != (1 if lost else 0):
        found.append(f"the ledger tells of {losses(world)}")
    return [f"{name}: {fault}" for fault in found]


def delete_journal(world):
    for file in journal_files(world):
        file.unlink()


def forget_journal(world):
    """What the relay must never do."""
    delete_journal(world)
    with sqlite3.connect(world.dir / "relay/relay.db", timeout=30) as store:
        store.execute("update agents set journal_id = 0, journal_seq = 0")


def take_backup(world):
    world.kill("agent")
    (world.dir / "backup").mkdir()
    for file in journal_files(world):
        shutil.copy(file, world.dir / "backup")
    come_back(world)


def restore_backup(world):
    delete_journal(world)
    for file in (world.dir / "backup").iterdir():
        shutil.copy(file, world.dir / "agent/state")


def main():
    world = make_world(sys.argv[1])
    try:
        if "--plant-fault" in sys.argv:
            found = round_trip(world, "forgotten", forget_journal, lost=True)
            print("planted faults found:", found)
            caught = all(any(word in fault for fault in found) for word in ("own job is running", "ran 2 times"))
            found = [] if caught else ["the check did not find what was planted"]
        else:
            found = round_trip(world, "intact", lambda world: None, lost=False)
            found += round_trip(world, "deleted", delete_journal, lost=True)
            take_backup(world)
            found += round_trip(world, "restored", restore_backup, lost=True)
            if sorted(losses(world)) != ["another_journal", "earlier_state"]:
                found.append(f"the ledger tells of {losses(world)}")
        tell(world, found)
        return 1 if found else 0
    finally:
        (world.dir / "go").touch()
        world.close()


if __name__ == "__main__":
    sys.exit(main())
