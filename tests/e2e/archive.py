#!/usr/bin/env python3
"""Records of jobs in an archive: in a directory and in a bucket, through a real relay and agent.

archive.py BIN LIBRARY
Jobs with a canary that is shown, a masked input and a masked output end and are archived; a recipe that keeps no payload is not, although it asks nothing of the archive. The shown canary
comes back through the API and the CLI, and is in clear in no file of the archive; the masked ones are nowhere, in no form (raw, JSON, URL, hex, base64 at any offset). Then the bucket: its
server verifies signatures; while the credentials are wrong or revoked the record waits and the API says why, also after kill -9, and is archived as soon as they are right.
At last the clock is moved (LIBRARY is preloaded) past the end of one record: its key and its object are gone, those of the others are there and open.
Positive controls: each search finds its canary planted in a copy of an object, in every form, and in what the API gives back; an object that was changed does not open.
"""
import json
import pathlib
import secrets
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import start_pair  # noqa: E402
from support.canaries import forms, where  # noqa: E402
from support.moved_clock import HOUR, MovedWorld  # noqa: E402

POLICY = """version: 1
actions: [command.run@1, log.write@1]
commands:
  say: {argv: [/bin/cat]}
"""
RECIPE = """recipe: orders
run_on: dc1
trigger: {uses: manual@1}
retention: {archive: 730d}
inputs:
  shown: {type: text}
  card: {type: text, mask: true}
steps:
  - {id: said, uses: command.run@1, with: {template: say, stdin: "${{ inputs.shown }}"}}
  - {id: told, uses: log.write@1, with: {text: "${{ inputs.shown }}"}}
  - {id: card, uses: command.run@1, with: {template: say, stdin: "${{ inputs.card }}"}}
  - {id: part, uses: command.run@1, mask: [output.text, output.stdout], with: {template: say, stdin: "${{ inputs.card }}"}}
"""
NOTHING = """recipe: nothing
run_on: dc1
trigger: {uses: manual@1}
retention: {payload: none}
inputs: {zero: {type: text}}
steps:
  - {id: said, uses: command.run@1, with: {template: say, stdin: "${{ inputs.zero }}"}}
"""
SHORT = """recipe: short
run_on: dc1
trigger: {uses: manual@1}
retention: {payload: 1h, logs: 1h, archive: 3h}
steps:
  - {id: told, uses: log.write@1, with: {text: short}}
"""
CREDENTIALS = "[default]\naws_access_key_id = AKIATESTONLY\naws_secret_access_key = {}\n"
RIGHT, WRONG = "secret-access-key-of-the-test", "another-secret-access-key"


def wait_for(what, condition):
    deadline = time.monotonic() + 90
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.1)
    return found


class Bucket:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        script = pathlib.Path(__file__).resolve().parent.parent / "support/s3_server.py"
        self.process = subprocess.Popen(["/usr/bin/python3", script, folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("the bucket", lambda: (folder / "port").exists())
        self.url = "https://127.0.0.1:" + (folder / "port").read_text()

    def control(self, mode):
        (self.folder / "control.new").write_text(json.dumps({"mode": mode}))
        (self.folder / "control.new").rename(self.folder / "control.json")

    def close(self):
        self.process.kill()
        self.process.wait()


def write_credentials(world, secret):
    file = world.dir / "credentials"
    file.touch(mode=0o600)
    file.write_text(CREDENTIALS.format(secret))


def declare(world, bucket):
    settings = world.dir / "relay/relay.yaml"
    settings.write_text(settings.read_text() + f"""archives:
  local: {{directory: "{world.dir}/archive"}}
  offsite: {{s3: {{endpoint: "{bucket.url}", region: eu-central-1, bucket: archive, prefix: sallyport/, ca_file: "{bucket.folder}/ca.pem", credentials_file: "{world.dir}/credentials"}}}}
""")


def run_job(world, recipe, inputs):
    status, job = world.call("POST", "/v1/jobs", {"recipe_name": recipe, "inputs": inputs})
    assert status == 202, job
    ended = wait_for("the end of a job", lambda: (found := world.read(f"/v1/jobs/{job['id']}"))["finished_at"] and found)
    assert ended["state"] == "succeeded", ended
    return job["id"]


def choose(world, place):
    status, answer = world.call("PUT", "/v1/archive", {"place": place})
    assert (status, answer["place"]) == (200, place), answer


def archived(world):
    return {one["job"]: one for one in world.read("/v1/archive/jobs")["items"]}


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def faults_in_record(world, job, canaries):
    found = []
    record = world.read(f"/v1/archive/jobs/{job}")["record"]
    lines = [json.loads(line) for line in record.splitlines()]
    if [next(iter(line)) for line in lines if next(iter(line)) != "event"] != ["job", "trigger", "step", "step", "step", "step", "end"]:
        found.append(f"the record has other parts: {[next(iter(line)) for line in lines]}")
    if lines[0]["job"]["id"] != job or lines[0]["job"]["recipe_name"] != "orders" or lines[0]["job"]["state"] != "succeeded":
        found.append(f"the record is of another job: {lines[0]}")
    if lines[-1]["end"]["left_out"] != 0:
        found.append("something was left out")
    texts = json.dumps([line for line in lines if "step" in line or "event" in line])
    if texts.count(canaries["shown"]) < 2 or canaries["shown"] not in json.dumps(lines[1]):
        found.append("what is shown is not in the record")
    if "***" not in record:
        found.append("no mark stands where something is masked")
    found += [f"the record shows what is masked: {place}" for place in where(canaries["masked"], {"record": record.encode()})]
    if world.run("sallyport", "archive", "get", job).splitlines() != record.splitlines():
        found.append("the CLI gives another record")
    return found


def faults_in_files(world, root, canaries, job):
    files = contents(root)
    if not any(name.endswith(archived(world)[job]["object"]) for name in files):
        return [f"{root} has no object of {job}"]
    found = [f"the name of {name} tells whose it is" for name in files if job in name or "org_" in name]
    for name, canary in canaries.items():
        found += [f"{name} is in {place}" for place in where(canary, files)]
        for form, planted in forms(canary).items():
            if not where(canary, {"copy": next(iter(files.values())) + planted}):
                found.append(f"positive control: {form} of a canary was not found in a copy of an object")
    if any(b"orders" in content for content in files.values()):
        found.append("an object has clear text")
    return found


def in_directory(world, canaries):
    choose(world, "local")
    job = run_job(world, "orders", {"shown": canaries["shown"], "card": canaries["masked"]})
    run_job(world, "nothing", {"zero": canaries["zero"]})
    wait_for("the archive", lambda: job in archived(world))
    found = faults_in_record(world, job, canaries) + faults_in_files(world, world.dir / "archive", canaries, job)
    if list(archived(world)) != [job]:
        found.append("something else is archived, too")
    file = world.dir / "archive" / archived(world)[job]["object"]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    if world.call("GET", f"/v1/archive/jobs/{job}")[0] == 200:
        found.append("positive control: an object that was changed opens")
    file.write_bytes(whole)
    modes = {path.stat().st_mode & 0o077 for path in (world.dir / "archive").rglob("*")}
    if modes != {0}:
        found.append("others may read the archive")
    return found


def log_of(world):
    return (world.dir / "relay.log").read_text()


def waiting_with(world, reason, since=0):
    """The log has said why since then; the organisation is told that it is so, and not where."""
    shown = world.read("/v1/archive")
    return shown["waiting"] == 1 and "refuses" in shown["trouble"] and reason not in shown["trouble"] and reason in log_of(world)[since:]


def in_bucket(world, bucket, canaries):
    choose(world, "offsite")
    write_credentials(world, WRONG)
    job = run_job(world, "orders", {"shown": canaries["shown"], "card": canaries["masked"]})
    wait_for("the refusal of a wrong signature", lambda: waiting_with(world, "SignatureDoesNotMatch"))
    bucket.control("revoked")
    write_credentials(world, RIGHT)
    wait_for("the refusal of revoked credentials", lambda: waiting_with(world, "InvalidAccessKeyId"))
    world.kill("relay")
    before = len(log_of(world))
    world.start("relay")
    world.wait_ready()
    wait_for("the refusal after kill -9", lambda: waiting_with(world, "InvalidAccessKeyId", before))
    found = [] if not (bucket.folder / "objects").exists() else ["the bucket has an object although it refused"]
    bucket.control("normal")
    wait_for("the bucket", lambda: job in archived(world))
    found += faults_in_record(world, job, canaries) + faults_in_files(world, bucket.folder / "objects", canaries, job)
    if world.read("/v1/archive")["waiting"] != 0:
        found.append("something waits although all is archived")
    log = log_of(world)
    found += [f"the log has no {event}" for event in ("archive.waits", "archive.works") if event not in log]
    if any(secret in log for secret in (RIGHT, WRONG)):
        found.append("a credential is in the log")
    return found


def keys_of(world, hours):
    """How many keys of the archive's lane of this length there are."""
    with sqlite3.connect(f"file:{world.dir}/relay/keys/keys.db?mode=ro", uri=True) as database:
        return database.execute("select count(*) from hour_keys where kind = 'archive' and hours = ?", (hours,)).fetchone()[0]


def start_at(world, seconds, event):
    """Again, from a clock that is moved, and that the agent's confirms, until the log has the event."""
    world.kill("agent")
    world.kill("relay")
    before = len(world.log_of_relay())
    world.move(seconds)
    world.move(seconds, "agent")
    world.start("relay")
    world.start("agent")
    return world.wait_for_log(f'"event":"{event}"', before) is not None


def at_its_end(world):
    """3 h after the hour in which the job ended; 730 d are not over."""
    choose(world, "local")
    job = run_job(world, "short", {})
    wait_for("the archive", lambda: job in archived(world))
    file = world.dir / "archive" / archived(world)[job]["object"]
    others = [one for other, one in archived(world).items() if other != job and one["place"] == "local"]
    found = []
    if not file.exists() or keys_of(world, 3) != 1 or world.call("GET", f"/v1/archive/jobs/{job}")[0] != 200:
        found.append("positive control: the record is not there before its end")
    if not start_at(world, 5 * HOUR, "keys.shredded"):
        found.append("the key of a record whose time is over was not shredded")
    if keys_of(world, 3) != 0 or keys_of(world, 730 * 24) == 0:
        found.append(f"keys of records that are over: {keys_of(world, 3)}, of others: {keys_of(world, 730 * 24)}")
    if not start_at(world, 5 * HOUR, "archive.removed") or file.exists():
        found.append("the object of a record whose time is over was not removed")
    world.wait_ready()
    if world.call("GET", f"/v1/archive/jobs/{job}")[0] != 404:
        found.append("the record opens after its end")
    if not others or any(world.call("GET", f"/v1/archive/jobs/{other['job']}")[0] != 200 for other in others):
        found.append("positive control: a record whose time is not over is gone, too")
    return found


def in_log_files(world):
    """The relay's own log: in files of its own, beside standard error."""
    files = contents(world.dir / "relay/logs")
    ready = sum(text.count(b'"relay.ready"') for text in files.values())
    return [] if ready == 2 and all(name.startswith("relay-") for name in files) else [f"the log's files have {ready} starts of 2: {list(files)}"]


def main():
    canaries = {name: f"canary-{secrets.token_urlsafe(12)}" for name in ("shown", "masked", "zero")}
    world = MovedWorld(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    bucket = Bucket(world.dir / "bucket")
    try:
        write_credentials(world, RIGHT)
        declare(world, bucket)
        (world.dir / "agent/policy.yaml").write_text(POLICY)
        (world.dir / "agent/connections.yaml").write_text("version: 1\nconnections: {}\n")
        (world.dir / "recipe.yaml").write_text(RECIPE)
        start_pair(world)
        for name, recipe in (("nothing", NOTHING), ("short", SHORT)):
            (world.dir / f"{name}.yaml").write_text(recipe)
            world.run("sallyport", "recipes", "apply", "-f", world.dir / f"{name}.yaml", "--activate")
        found = in_directory(world, canaries) + in_bucket(world, bucket, canaries) + in_log_files(world) + at_its_end(world)
        print("\n".join(found) if found else "records are in the directory and in the bucket, sealed and without what is masked, and come back")
        return 1 if found else 0
    finally:
        bucket.close()
        world.close()


if __name__ == "__main__":
    sys.exit(main())
