#!/usr/bin/env python3
"""A local secret of the agent through real processes: it arrives at its command, and is nowhere else.

secret_canary.py BIN
Searched, in every form (raw, JSON, URL, hex, base64 at any offset): the agent's state and log, the relay's data and log, and all that the API
and the CLI tell of the job. Positive control: a value that is no secret goes the same way and must be found. A secret that the local policy
does not give is refused, and the rule stands in the agent's log, in the job's step and in the relay's audit.

A fixture that is made of the job for tests of its recipe is searched, too; the positive control is in it.

Nor is a masked value that a later step's error quotes. Positive control: the same error of a step that was given what is not masked.

The words with which a job fails are told to who may read the job, and are in none of the relay's files. Positive control: a job's event
key, which the relay keeps in clear, is found there.
"""
import json
import os
import pathlib
import secrets
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World, start_pair  # noqa: E402
from support.canaries import everything_on_disk, expect_forms_known, files_of_relay, where  # noqa: E402

CONNECTIONS = """version: 1
connections:
  files: {kind: file, root: "@DIR@"}
"""
POLICY = """version: 1
actions: [command.run@1, file.read@1, json.parse@1]
connections:
  files: {files: [{directory: ., allow: [read]}]}
commands:
  keep: {argv: [/bin/sh, -c, 'cat >>"$KEPT"; echo "$TOKEN" >>"$KEPT"; cat "$KEPT"'], environment: {KEPT: "@DIR@/kept"}, recipe_environment: [TOKEN]}
  other: {argv: [/bin/cat]}
  value: {argv: [/bin/cat, "@DIR@/value"]}
  complain: {argv: [/bin/sh, -c, "cat >&2; exit 3"]}
secrets:
  token: {value_file: token, actions: [command.run@1], commands: [keep, complain]}
"""
RECIPE = """recipe: effects
run_on: dc1
trigger: {uses: manual@1}
inputs:
  value: {type: text, default: none}
  words: {type: text, default: ""}
steps:
  - {id: secret, uses: command.run@1, with: {template: keep, stdin: "${{ secrets.token }}", environment: {TOKEN: "${{ secrets.token }}"}}}
  - {id: plain, uses: command.run@1, with: {template: other, stdin: "${{ inputs.value }}"}}
  - {id: told, if: inputs.words != "", stop: {status: failed, message: "${{ inputs.words }}"}}
  - {id: seen, uses: command.run@1, mask: true, with: {template: value}}
  - {id: absent, uses: file.read@1, connection: files, on_failure: continue, with: {path: "w/${{ steps.seen.output.text }}.txt"}}
  - {id: absent_said, uses: log.write@1, with: {text: "${{ steps.absent.error.message }}"}}
  - {id: shouted, uses: command.run@1, on_failure: continue, with: {template: complain, stdin: "${{ secrets.token }}"}}
  - {id: shouted_said, uses: log.write@1, with: {text: "${{ steps.shouted.error.message }}"}}
  - {id: open, uses: file.read@1, connection: files, on_failure: continue, with: {path: "w/${{ inputs.value }}.txt"}}
  - {id: refused, uses: command.run@1, with: {template: other, stdin: "${{ secrets.token }}"}}
"""
RULE = "policy.yaml:11 secrets.token.commands"


def wait_for_refusal(world):
    """The ledger is written after the job's history."""
    deadline = time.monotonic() + 10
    while RULE not in json.dumps(world.read("/v1/audit-events"), ensure_ascii=False) and time.monotonic() < deadline:
        time.sleep(0.05)


def everything(world, job):
    """What lies on the disks of both sides, and what they tell."""
    places = everything_on_disk(world)
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/steps", f"/v1/jobs/{job}/events", "/v1/audit-events"):
        places[path] = json.dumps(world.read(path), ensure_ascii=False).encode()
    for output in ("table", "json"):
        places[f"jobs show -o {output}"] = world.run("sallyport", "jobs", "show", job, "-o", output).encode()
    return places


def run_job(world, value, **more):
    inputs = {"value": value} | more.pop("inputs", {})
    status, job = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": inputs} | more)
    assert status in (200, 202), job
    deadline = time.monotonic() + 60
    while world.read(f"/v1/jobs/{job['id']}")["state"] not in ("succeeded", "failed", "cancelled") and time.monotonic() < deadline:
        time.sleep(0.05)
    return job["id"]


def faults_in(world, secret, masked, plain):
    job = run_job(world, plain)
    steps = {step["path"]: step for step in world.read(f"/v1/jobs/{job}/steps")["items"]}
    found = []
    if [steps[path]["status"] for path in ("secret", "plain", "refused")] != ["succeeded", "succeeded", "failed"]:
        found.append(f"the steps ended otherwise than they should: {steps}")
    if [steps[path]["status"] for path in ("absent", "shouted", "open")] != ["failed"] * 3:
        found.append(f"the steps that should fail did not: {steps}")
    if (world.dir / "kept").read_text().count(secret) != 2:
        found.append("the command did not get the secret by standard input and environment")
    wait_for_refusal(world)
    places = everything(world, job)
    fixture = world.run("sallyport", "recipe", "test", world.dir / "recipe.yaml", "--record", job)
    places["the fixture"] = fixture.encode()
    found += [f"the secret leaked: {place}" for place in where(secret, places)]
    found += [f"the masked value leaked: {place}" for place in where(masked, places)]
    if f"w/{plain}.txt" not in steps["open"]["message"]:
        found.append(f"positive control: the error of what is not masked does not quote it: {steps['open']}")
    if not any(place.startswith("/v1/jobs") for place in where(plain, places)):
        found.append("positive control: the search did not find what is no secret")
    if not any(place.startswith("the fixture") for place in where(plain, places)):
        found.append(f"positive control: the fixture does not hold what is no secret: {fixture}")
    for place in ("agent.log", f"/v1/jobs/{job}/steps", "/v1/audit-events"):
        if RULE.encode() not in places[place]:
            found.append(f"the refusing rule is not in {place}")
    return found


def faults_in_words(world, words, key):
    job = run_job(world, "none", inputs={"words": words}, event_key=key)
    found = []
    for told in (world.read(f"/v1/jobs/{job}")["error"]["message"], world.run("sallyport", "jobs", "show", job)):
        if words not in told:
            found.append(f"why the job failed is not told: {told}")
    files = files_of_relay(world)
    found += [f"the words of the failure lie in clear: {place}" for place in where(words, files)]
    if "relay/relay.db-wal: raw" not in where(key, files):
        found.append(f"positive control: the search did not find the event key in {sorted(files)}")
    return found


def main():
    secret, plain, words, key = (f"{name}-{secrets.token_urlsafe(12)}+/\"&=ü" for name in ("s3cr3t", "plain", "words", "key"))
    masked = f"masked-{secrets.token_urlsafe(12)}"
    expect_forms_known(secret)
    world = World(sys.argv[1])
    try:
        (world.dir / "agent/policy.yaml").write_text(POLICY.replace("@DIR@", str(world.dir)))
        (world.dir / "agent/connections.yaml").write_text(CONNECTIONS.replace("@DIR@", str(world.dir)))
        (world.dir / "value").write_text(masked)
        (world.dir / "recipe.yaml").write_text(RECIPE)
        token = world.dir / "agent/token"
        token.touch(0o600)
        token.write_text(secret + "\n")
        os.chmod(token, 0o600)
        world.run("sallyport-agent", "config", "check", "--config", world.dir / "agent")
        start_pair(world)
        found = faults_in(world, secret, masked, plain) + faults_in_words(world, words, key)
        print("\n".join(found) if found else "the secret arrived, and is nowhere else; the refusal is on both sides' records; "
              "the words of a failure are told, and nowhere in clear")
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
