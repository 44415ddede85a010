#!/usr/bin/env python3
"""What is normal, masked, kept by nobody or secret, through real processes under load that are killed in the middle: none of it lies in clear on a disk,
and what is not for people is in no answer.

privacy_canary.py BIN
A canary for each field and mode: an input, an output, an error's words and a line of the log that a person may read; the same masked; the same of a recipe
with `retention: {payload: none}`; and a secret of the agent. Searched in every form (raw, JSON, URL, hex, base64 at any offset) in every file of both data directories with
their write-ahead logs, in backups of keys, in a copy of both, in all logs, also rotated ones, while the jobs run, after `kill -9` of agent and relay, at the end, and
after SIGABRT of both processes with core files allowed; and in all that the API tells. Positive controls: what is normal is found in the answers, what is
planted in any form is found in each of those places, and another program's SIGABRT leaves a core.
"""
import json
import os
import pathlib
import re
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World, start_pair  # noqa: E402
from support.canaries import everything_on_disk, files_below, forms, where  # noqa: E402

POLICY = """version: 1
actions: [command.run@1]
commands:
  say: {argv: [/bin/cat]}
  value: {argv: [/bin/cat, "@DIR@/value"]}
  plain: {argv: [/bin/cat, "@DIR@/plain"]}
  keep: {argv: [/bin/sh, -c, "cat >@DIR@/kept"]}
  complain: {argv: [/bin/sh, -c, "cat >&2; exit 3"]}
  hold: {argv: [/bin/sh, -c, 'read name; touch "@DIR@/in-$name"; while [ ! -e "@DIR@/go" ]; do sleep 0.05; done']}
secrets:
  token: {value_file: token, actions: [command.run@1], commands: [keep, complain]}
"""
RECIPE = """recipe: effects
run_on: dc1
trigger: {uses: manual@1}
inputs:
  normal: {type: text}
  words: {type: text}
  line: {type: text}
  card: {type: text, mask: true}
steps:
  - {id: normal, uses: command.run@1, with: {template: say, stdin: "${{ inputs.normal }}"}}
  - {id: shown, uses: command.run@1, with: {template: plain}}
  - {id: wrong, uses: command.run@1, on_failure: continue, with: {template: complain, stdin: "${{ inputs.words }}"}}
  - {id: noted, uses: log.write@1, with: {text: "${{ inputs.line }}"}}
  - {id: card, uses: command.run@1, with: {template: say, stdin: "${{ inputs.card }}"}}
  - {id: part, uses: command.run@1, mask: [output.text, output.stdout], with: {template: value}}
  - {id: made, uses: command.run@1, on_failure: continue, with: {template: complain, stdin: "${{ steps.part.output.text }}"}}
  - {id: told, uses: log.write@1, with: {text: "${{ inputs.card }} ${{ steps.made.error.message }}"}}
  - {id: secret, uses: command.run@1, with: {template: keep, stdin: "${{ secrets.token }}"}}
  - {id: hold, uses: command.run@1, on_in_doubt: skip, with: {template: hold, stdin: "effects\\n"}}
  - {id: gone, uses: command.run@1, with: {template: say, stdin: "${{ steps.part.output.text }}"}}
"""
NOTHING = """recipe: nothing
run_on: dc1
trigger: {uses: manual@1}
retention: {payload: none}
inputs:
  zero: {type: text}
steps:
  - {id: said, uses: command.run@1, with: {template: say, stdin: "${{ inputs.zero }}"}}
  - {id: failed, uses: command.run@1, on_failure: continue, with: {template: complain, stdin: "${{ inputs.zero }}"}}
  - {id: told, uses: log.write@1, with: {text: "${{ inputs.zero }} ${{ steps.said.output.text }}"}}
  - {id: hold, uses: command.run@1, with: {template: hold, stdin: "nothing\\n"}}
"""


def wait_for(what, condition):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.05)


def start(world, recipe, inputs):
    status, job = world.call("POST", "/v1/jobs", {"recipe_name": recipe, "inputs": inputs})
    assert status in (200, 202), job
    return job["id"]


def start_both(world, canaries):
    for name in ("in-effects", "in-nothing"):
        (world.dir / name).unlink(missing_ok=True)
    jobs = [start(world, "effects", {"normal": canaries["normal input"], "words": canaries["normal error"], "line": canaries["normal line"],
                                     "card": canaries["masked input"]}),
            start(world, "nothing", {"zero": canaries["zero retention"]})]
    wait_for("both jobs to hold", lambda: (world.dir / "in-effects").exists() and (world.dir / "in-nothing").exists())
    return jobs


def told_of(world, jobs):
    places = {}
    for job in jobs:
        for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/steps", f"/v1/jobs/{job}/events"):
            places[path] = json.dumps(world.read(path), ensure_ascii=False).encode()
        places[f"jobs show {job}"] = world.run("sallyport", "jobs", "show", job, "-o", "json").encode()
    trigger = f"/v1/jobs/{jobs[0]}/trigger"
    places[trigger] = json.dumps(world.read(trigger), ensure_ascii=False).encode()
    return places


def is_normal(name):
    return name.startswith("normal")


def leaks(canaries, places, when):
    return [f"{when}: {name} leaked: {place}" for name, text in canaries.items() for place in where(text, places)]


def leaks_to_people(canaries, places):
    return leaks({name: text for name, text in canaries.items() if not is_normal(name)}, places, "told")


def copy_of_data(world):
    """As somebody makes it who copies the directories while both run."""
    copy = world.dir / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    (copy / "agent").mkdir(parents=True)
    for name in ("relay", "agent/state"):
        subprocess.run(["cp", "-a", world.dir / name, copy / name], check=False, stderr=subprocess.DEVNULL)  # files come and go
    return files_below(world, "copy")


def control_planted(world, canaries):
    """Every form of every canary, planted in each kind of place, is found there."""
    found = []
    for place in ("agent/state/planted", "relay/planted", "relay/keys/backups/planted", "relay.log.planted", "archive/planted"):
        file = world.dir / place
        file.parent.mkdir(exist_ok=True)
        for name, text in canaries.items():
            for form, content in forms(text).items():
                file.write_bytes(b"before" + content + b"after")
                places = {at: read for at, read in everything_on_disk(world).items() if "planted" in at} if form == "raw" else {place: file.read_bytes()}
                if not leaks({name: text}, places, "planted"):
                    found.append(f"positive control: {name} was planted in {place} as {form}, and not found")
        file.unlink()
    return found


def rotate_log_and_restart(world):
    """kill -9 of the relay; its log goes on in a new file."""
    world.kill("relay")
    (world.dir / "relay.log").rename(world.dir / "relay.log.1")
    world.start("relay")
    world.wait_ready()


def cores_below(directory):
    return [str(path) for path in directory.rglob("core*") if path.is_file()]


def allow_cores():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def control_core(directory):
    """Whether this machine writes a core file of a program that does not forbid it."""
    directory.mkdir()
    subprocess.run(["/bin/sh", "-c", "kill -ABRT $$"], cwd=directory, check=False)
    return bool(cores_below(directory))


def after_crash(world, canaries):
    """Both processes, with jobs under way, end by SIGABRT where core files are allowed and would come into the world's directory."""
    (world.dir / "go").unlink(missing_ok=True)
    start_both(world, canaries)
    found = []
    for name in ("agent", "relay"):
        limits = pathlib.Path(f"/proc/{world.processes[name].pid}/limits").read_text()
        if not re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE):
            found.append(f"{name}: core files are not forbidden")
        world.processes[name].send_signal(signal.SIGABRT)
        if world.processes[name].wait(timeout=30) != -signal.SIGABRT:
            found.append(f"{name} did not end by SIGABRT")
    found += [f"a core file: {core}" for core in cores_below(world.dir) if "control" not in core]
    return found + leaks(canaries, everything_on_disk(world), "after SIGABRT")


def faults_in(world, canaries):
    jobs = start_both(world, canaries)
    load = [start(world, "effects", {"normal": canaries["normal input"], "words": canaries["normal error"], "line": canaries["normal line"],
                                     "card": canaries["masked input"]}) for _ in range(10)]
    found = leaks(canaries, everything_on_disk(world) | copy_of_data(world), "while the jobs run")
    world.kill("agent")
    rotate_log_and_restart(world)
    found += leaks(canaries, everything_on_disk(world), "after kill -9")
    world.start("agent")
    (world.dir / "go").touch()
    for job in jobs + load:
        wait_for(f"the end of {job}", lambda job=job: world.read(f"/v1/jobs/{job}")["state"] in ("succeeded", "failed", "in_doubt", "dead"))
    places = told_of(world, jobs)
    found += leaks(canaries, everything_on_disk(world) | copy_of_data(world), "at the end") + leaks_to_people(canaries, places)
    if not any((world.dir / "relay/keys/backups").glob("keys-*.db")) or not (world.dir / "relay.log.1").exists():
        found.append("there is no backup of keys, or no rotated log, to be searched")
    ends = [world.read(f"/v1/jobs/{job}") for job in jobs]
    if (ends[0]["state"], ends[0]["error"]["class"], ends[0]["error"]["step"]) != ("failed", "output_lost", "gone"):
        found.append(f"a job that needs a masked output after a crash ended otherwise: {ends[0]}")
    if (ends[1]["state"], ends[1]["error"]["class"]) != ("in_doubt", "zero_retention"):
        found.append(f"a job that keeps nothing ended otherwise: {ends[1]}")
    if (world.dir / "kept").read_text() != canaries["secret"]:
        found.append("the command did not get the secret")
    for name, part in (("normal input", "trigger"), ("normal input", "steps"), ("normal output", "steps"), ("normal error", "steps"), ("normal line", "events")):
        if not any(f"/{part}:" in place for place in where(canaries[name], places)):
            found.append(f"positive control: {name}, which everybody may read, was not found in the {part}")
    return found


def main():
    canaries = {name: f"{name.replace(' ', '-')}-{secrets.token_urlsafe(12)}+/\"&=ü"
                for name in ("normal input", "normal output", "normal error", "normal line", "masked input", "output masked", "zero retention", "secret")}
    allow_cores()
    world = World(pathlib.Path(sys.argv[1]).resolve())
    os.chdir(world.dir)
    try:
        makes_cores = control_core(world.dir / "control")
        (world.dir / "agent/policy.yaml").write_text(POLICY.replace("@DIR@", str(world.dir)))
        (world.dir / "agent/connections.yaml").write_text("version: 1\nconnections: {}\n")
        (world.dir / "value").write_text(canaries["output masked"])
        (world.dir / "plain").write_text(canaries["normal output"])
        (world.dir / "recipe.yaml").write_text(RECIPE)
        (world.dir / "nothing.yaml").write_text(NOTHING)
        token = world.dir / "agent/token"
        token.touch(0o600)
        token.write_text(canaries["secret"] + "\n")
        start_pair(world)
        world.run("sallyport", "recipes", "apply", "-f", world.dir / "nothing.yaml", "--activate")
        found = control_planted(world, canaries) + faults_in(world, canaries) + after_crash(world, canaries)
        print("\n".join(found) if found else "normal, masked, kept by nobody and secret: in clear on no disk, in no copy, log or core; "
              "told: what everybody may read" + ("" if makes_cores else " (no program leaves a core on this machine: that control is missing)"))
        return 1 if found else 0
    finally:
        os.chdir("/")
        world.close()


if __name__ == "__main__":
    sys.exit(main())
