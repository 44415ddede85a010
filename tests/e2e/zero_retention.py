#!/usr/bin/env python3
"""A recipe with `retention: {payload: none}` through a real relay and agent: its payload is nowhere on the relay's disk, also after kill -9.

zero_retention.py BIN
Canaries go through every place where payload can be: inputs, the data of a local trigger, event and concurrency keys, steps' inputs and outputs, log texts, messages of steps and jobs. The
relay is killed while such jobs run and while others wait, and begins anew: every one ends, those that waited with the class `zero_retention`, and none is run again. Whatever
file of the relay's there is, its log too, is searched in every form while it happens (raw, JSON, URL, hex, base64 at any offset). Positive control: the same way with a recipe that keeps
its payload; the canary in its event key, which is kept in clear, must be found.
"""
import pathlib
import secrets
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World, start_pair  # noqa: E402
from support.canaries import expect_forms_known, files_of_relay, where  # noqa: E402

POLICY = """version: 1
actions: [file.watch@1, command.run@1, log.write@1]
connections:
  files: {files: [{directory: in, allow: [read]}]}
commands:
  tell: {argv: [/bin/cat]}
  complain: {argv: [/bin/sh, -c, "cat >&2; exit 3"]}
  wait: {argv: [/bin/sleep, "1"]}
"""
CONNECTIONS = """version: 1
connections:
  files: {kind: file, root: "@DIR@/watched"}
"""
STEPS = """
concurrency: {limit: 8, key: "${{ inputs.value }}"}
inputs: {value: {type: text, required: true}}
steps:
  - {id: said, uses: log.write@1, with: {text: "${{ inputs.value }}"}}
  - {id: gave, uses: command.run@1, with: {template: tell, stdin: "${{ inputs.value }}"}}
  - {id: again, uses: log.write@1, with: {text: "${{ steps.gave.output.text }}"}}
  - {id: complained, uses: command.run@1, on_failure: continue, with: {template: complain, stdin: "${{ inputs.value }}"}}
  - {id: waited, uses: command.run@1, with: {template: wait}}
  - {id: over, stop: {status: failed, message: "${{ inputs.value }}"}}
"""
KEPT = "recipe: kept\nrun_on: dc1\ntrigger: {uses: manual@1}\n" + STEPS
ZERO = "recipe: zero\nrun_on: dc1\ntrigger: {uses: manual@1}\nretention: {payload: none}\n" + STEPS
WATCHED = """recipe: watched
run_on: dc1
trigger: {uses: file.watch@1, connection: files, with: {path: in, settle: 1s}, dedupe: "${{ trigger.file.name }}"}
retention: {payload: none}
steps:
  - {id: said, uses: log.write@1, with: {text: "${{ trigger.file.name }}"}}
"""
FINAL = ("succeeded", "failed", "cancelled", "timed_out", "in_doubt", "dead")


def start_job(world, recipe, value):
    status, job = world.call("POST", "/v1/jobs", {"recipe_name": recipe, "inputs": {"value": value}, "event_key": value})
    assert status == 202, job
    return job["id"]


def wait_until(what, holds):
    deadline = time.monotonic() + 120
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


def wait_for_ends(world, jobs):
    return {job: wait_until(f"the end of {job}", lambda: (found := world.read(f"/v1/jobs/{job}"))["state"] in FINAL and found) for job in jobs}


def begin_anew(world):
    world.kill("relay")
    world.start("relay")
    world.wait_ready()


class Search:
    """Looks for the canaries in the relay's files, again and again: what is overwritten later was there."""

    def __init__(self, world, canaries):
        self.world, self.canaries, self.found = world, canaries, set()

    def look(self, when):
        files = files_of_relay(self.world)
        self.found |= {f"{when}: {name} is in {place}" for name, text in self.canaries.items() for place in where(text, files)}


def faults_in_shown(world, job):
    """What the API and the CLI tell of a job whose steps ran."""
    found = []
    shown = world.read(f"/v1/jobs/{job}")
    if (shown["payload"], shown["event_key"], shown["error"]["step"], shown["error"]["message"]) != ("none", "", "over", ""):
        found.append(f"the job is told otherwise: {shown}")
    steps = world.read(f"/v1/jobs/{job}/steps")["items"]
    if [step["path"] for step in steps] != ["said", "gave", "again", "complained", "waited", "over"]:
        found.append(f"not every step is there: {[step['path'] for step in steps]}")
    found += [f"step {step['path']} has payload" for step in steps if step["input"] is not None or step["output"] is not None or step["message"]]
    if not next(step for step in steps if step["path"] == "complained")["error_class"]:
        found.append("the class of a failure is gone")
    if world.read(f"/v1/jobs/{job}/trigger") != {"trigger": None, "payload": "none"}:
        found.append("the trigger is told otherwise")
    if "not kept (zero retention)" not in world.run("sallyport", "jobs", "show", job):
        found.append("jobs show does not say that the payload is not kept")
    status, answer = world.call("POST", f"/v1/jobs/{job}/rerun", {})
    if status != 409 or "retention: {payload: none}" not in answer["detail"]:
        found.append(f"a re-run was not refused with the reason: {status} {answer}")
    return found


def faults_in_ends(ended, whole):
    """Of jobs that a relay's end may have cost their payload: they say so, or ran to their end."""
    found = []
    for job, shown in ended.items():
        error = shown["error"]
        if error["class"] == "zero_retention" and not whole:
            if shown["state"] not in ("failed", "in_doubt") or "only in the memory of the relay" not in error["message"]:
                found.append(f"{job} does not say why it ended: {shown}")
        elif error["step"] != "over":
            found.append(f"{job} ended otherwise: {shown}")
    return found


def run(world, canaries, control):
    search, found = Search(world, canaries), []
    start_pair(world)
    for name, text in (("zero", ZERO), ("watched", WATCHED)):
        (world.dir / f"{name}.yaml").write_text(text)
        world.run("sallyport", "recipes", "apply", "-f", world.dir / f"{name}.yaml", "--activate")

    first = [start_job(world, "zero", canaries["a finished job"] + str(n)) for n in range(8)]
    (world.dir / "watched/in" / canaries["a file"]).write_text("x")
    search.look("while jobs run")
    found += faults_in_ends(wait_for_ends(world, first), whole=True)
    found += faults_in_shown(world, first[0])
    local = wait_until("the job of the file", lambda: world.read("/v1/jobs?state=succeeded")["items"])
    if local[0]["recipe_name"] != "watched" or local[0]["payload"] != "none":
        found.append(f"the job of the file is told otherwise: {local}")
    search.look("after jobs ran")

    midway = [start_job(world, "zero", canaries["a job cut off"] + str(n)) for n in range(8)]
    wait_until("steps", lambda: world.read(f"/v1/jobs/{midway[0]}/steps")["items"])
    begin_anew(world)
    found += faults_in_ends(wait_for_ends(world, midway), whole=False)
    search.look("after kill -9 while jobs ran")

    world.kill("agent")
    waiting = [start_job(world, "zero", canaries["a waiting job"] + str(n)) for n in range(20)]
    search.look("while jobs wait")
    begin_anew(world)
    for job, shown in wait_for_ends(world, waiting).items():
        if (shown["state"], shown["error"]["class"]) != ("failed", "zero_retention") or not shown["error"]["message"].endswith("Start it again, with another event key: this one counts as seen"):
            found.append(f"{job} waited, and does not say why it ended: {shown}")
    search.look("after kill -9 while jobs waited")

    world.start("agent")
    kept = start_job(world, "kept", control)
    shown = wait_for_ends(world, [kept])[kept]
    if (shown["payload"], shown["event_key"], shown["error"]["message"]) != ("kept", control, control):
        found.append("positive control: a recipe that keeps its payload does not tell it")
    if not any(": raw" in place for place in where(control, files_of_relay(world))):
        found.append("positive control: the search did not find the event key of a recipe that keeps its payload")
    world.kill("relay")
    search.look("at the end")
    return found + sorted(search.found)


def main():
    canaries = {name: f"canary-{secrets.token_urlsafe(12)}+\"&=ü" for name in ("a finished job", "a job cut off", "a waiting job", "a file")}
    control = f"control-{secrets.token_urlsafe(12)}+\"&=ü"
    expect_forms_known(control)
    world = World(sys.argv[1])
    try:
        (world.dir / "watched/in").mkdir(parents=True)
        (world.dir / "agent/policy.yaml").write_text(POLICY)
        (world.dir / "agent/connections.yaml").write_text(CONNECTIONS.replace("@DIR@", str(world.dir)))
        (world.dir / "recipe.yaml").write_text(KEPT)
        world.run("sallyport-agent", "config", "check", "--config", world.dir / "agent")
        found = run(world, canaries, control)
        print("\n".join(found) if found else "the payload of 37 jobs is nowhere on the relay's disk; those that it was lost for say so; none is run again")
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
