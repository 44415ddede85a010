#!/usr/bin/env python3
"""A person and an organisation are erased through real processes, one of them killed in the middle: they are on no disk, and the ledgers verify.

erasure.py BIN
A canary for each text that tells of a person or an organisation, searched in six encodings in every file of the relay's data directory and in its
log. What the organisation had in an archive is removed, and was there before; so are copies of keys.db that a restore left. Controls: each is found before; what is planted in a file afterwards is found; another organisation has all it had; an edited receipt and an
edited row of the ledger are refused. The organisation has so many rows that `kill -9` comes in the middle of its erasure.
"""
import base64
import hashlib
import json
import pathlib
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World  # noqa: E402
from support.canaries import everything_on_disk, where  # noqa: E402

RECIPE = """recipe: @RECIPE@
run_on: dc1
trigger: {uses: manual@1}
retention: {archive: 730d}
inputs:
  text: {type: text}
steps:
  - {id: told, uses: log.write@1, with: {text: "${{ inputs.text }}"}}
"""
MANY = 60_000
LEFT = ("keys.db.replaced", "keys.db.restored")  # by a restore


def wait_for(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.05)
    return found


def as_whom(world, token):
    world.token = token
    world.env["SALLYPORT_TOKEN"] = token


def found(world):
    world.organisations = {}
    for name in ("other", "victim"):
        text = f"{name}-{secrets.token_hex(8)}"
        status, made = world.call("POST", "/v1/organisations", {"name": text, "owner_name": f"Owner {text}", "owner_email": f"{text}@owner.example"})
        assert status == 201, made
        world.organisations[name] = {"id": made["organisation"]["id"], "name": text, "token": made["secret"], "recipe": f"recipe-{text}"}


def live(world, name):
    """A group, a recipe, a tunnel and a job of the organisation; for the victim an agent that runs the job."""
    organisation = world.organisations[name]
    as_whom(world, organisation["token"])
    world.run("sallyport", "group", "create", "dc1")
    world.run("sallyport", "archive", "set", "local")
    (world.dir / "recipe.yaml").write_text(RECIPE.replace("@RECIPE@", organisation["recipe"]))
    world.run("sallyport", "recipes", "apply", "-f", world.dir / "recipe.yaml", "--activate")
    world.run("sallyport", "tunnel", "create", f"tunnel-{organisation['name'][:20]}", "--group", "dc1", "--target", f"{organisation['name']}.internal:5432")
    if name == "victim":
        string = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
        world.run("sallyport-agent", "enrol", "--config", world.dir / "agent", "-", stdin=string + "\n")
        world.start("agent")
    status, job = world.call("POST", "/v1/jobs", {"recipe_name": organisation["recipe"], "inputs": {"text": organisation["name"]},
                                                  "event_key": f"event-{organisation['name']}"})
    assert status == 202, job
    if name == "victim":
        wait_for("the job", lambda: world.read(f"/v1/jobs/{job['id']}")["state"] == "succeeded")
    organisation["job"] = job["id"]


def texts_of(organisation):
    name = organisation["name"]
    return [name, f"Owner {name}", f"{name}@owner.example", f"{name}.internal", organisation["recipe"]]


def objects(world):
    return [path for path in (world.dir / "archive").rglob("*") if path.is_file()]


def leaks(world, texts):
    places = {place: content for place, content in everything_on_disk(world).items() if not place.startswith("agent")}
    return [f"{text}: {hit}" for text in texts for hit in where(text, places)]


def expect_gone(world, texts, what):
    """The log of the database is emptied right after what was deleted, as soon as no reader needs it."""
    deadline = time.monotonic() + 20
    while (hits := leaks(world, texts)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return [f"{what} is erased and still there: {hit}" for hit in hits]


def expect_found(world, texts, what):
    return [f"control: {text} of {what} is not found before its erasure" for text in texts if not leaks(world, [text])]


def check_receipt(world, erasure):
    receipt, key = world.dir / "receipt.json", world.dir / "receipt-key.pem"
    receipt.write_text(json.dumps(erasure["receipt"]))
    key.write_text(world.run("sallyport", "erase", "key"))
    world.run("sallyport", "erase", "verify", receipt, "--key", key)
    receipt.write_text(json.dumps(erasure["receipt"]).replace('"rows": {', '"rows": {"nothing": 1, '))
    edited = subprocess.run([world.bin / "sallyport", "erase", "verify", receipt, "--key", key], env=world.env, capture_output=True, timeout=60)
    return [] if edited.returncode == 1 else ["control: an edited receipt was taken"]


def erase_person(world):
    """Of an organisation that stays."""
    as_whom(world, world.organisations["other"]["token"])
    ada = f"ada-{secrets.token_hex(8)}"
    texts = [ada, f"{ada}@person.example", f"token of {ada}"]
    status, user = world.call("POST", "/v1/users", {"name": ada, "email": texts[1], "role": "editor"})
    assert status == 201, user
    status, token = world.call("POST", "/v1/tokens", {"name": texts[2], "user": user["id"]})
    assert status == 201, token
    as_whom(world, token["secret"])
    world.run("sallyport", "group", "create", "by-ada")
    as_whom(world, world.organisations["other"]["token"])
    exported = world.run("sallyport", "export", "person", texts[1])
    problems = [f"{text} is not in the export of the person" for text in [*texts, "127.0.0.1"] if text not in exported]
    lines = exported.splitlines()
    said = json.loads(lines[-1])["end"]
    if said["sha256"] != hashlib.sha256("".join(line + "\n" for line in lines[:-1]).encode()).hexdigest():
        problems.append("the export's last line does not fit the lines before it")
    problems += expect_found(world, texts, "a person")
    erasure = json.loads(world.run("sallyport", "erase", "person", texts[1], "--confirm", "erase", "-o", "json"))
    problems += expect_gone(world, texts, "a person") + check_receipt(world, erasure)
    verdict = world.read("/v1/audit-events/verify")
    if not verdict["intact"] or verdict["erased_texts"] < 1:
        problems.append(f"the ledger after the erasure of a person: {verdict}")
    return problems


def rows_of(world, org):
    """Every row of the organisation but those that change by looking at it."""
    rows = []
    with sqlite3.connect(f"file:{world.dir}/relay/relay.db?mode=ro", uri=True) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table' order by name").fetchall():
            columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
            if "org" in columns and table not in ("audit_rows", "audit_heads", "audit_texts", "api_tokens", "erasures"):
                rows += [(table, row) for row in database.execute(f"select * from {table} where org = ? order by 1, 2, 3", (org,))]
    return rows


def chain_fault(world, ledger):
    """The ledger's chain as docs and receipts have it, computed once more."""
    def field(part):
        return len(part).to_bytes(8, "big") + part
    with sqlite3.connect(f"file:{world.dir}/relay/relay.db?mode=ro", uri=True) as database:
        rows = database.execute("select seq, id, at, json, hash from audit_rows where org = ? order by seq", (ledger,)).fetchall()
    previous, heads = bytes(32), {}
    for seq, event, at, text, digest in rows:
        body = field(b"sallyport-audit-1") + field(previous) + seq.to_bytes(8, "big") + field(event.encode())
        previous = hashlib.sha256(body + at.to_bytes(8, "big") + field(text.encode())).digest()
        if previous != digest:
            return f"row {seq}", heads
        heads[seq] = digest.hex()
    return None, heads


def multiply(world):
    """More rows than go before the relay is killed."""
    world.processes["relay"].terminate()
    world.processes["relay"].wait(timeout=60)
    org = world.organisations["victim"]["id"]
    with sqlite3.connect(world.dir / "relay/relay.db") as database:
        database.executemany("insert into job_events (org, recipe, event_key, job, created_at) values (?, 'r', ?, 'j', 0)",
                             ((org, f"{n:08}") for n in range(MANY)))
    database.close()
    for name in LEFT:
        shutil.copy(world.dir / "relay/keys/keys.db", world.dir / "relay/keys" / name)
    world.start("relay")
    world.wait_ready()


def erase_organisation(world):
    victim, other = world.organisations["victim"], world.organisations["other"]
    multiply(world)
    as_whom(world, victim["token"])
    problems = expect_found(world, texts_of(victim), "an organisation")
    wait_for("the archive", lambda: len(world.read("/v1/archive/jobs")["items"]) == 1)
    (archived,) = objects(world)
    if any(text in str(archived) for text in (victim["id"], victim["job"])):
        problems.append(f"the name of an object tells whose it is: {archived}")
    exported = world.run("sallyport", "export", "organisation")
    problems += [f"{text} is not in the export of the organisation" for text in texts_of(victim) if text not in exported]
    before = rows_of(world, other["id"])
    status, wrong = world.call("POST", "/v1/organisation/erase", {"confirm": "erase", "name": other["name"]})
    if status != 422:
        problems.append(f"the erasure of an organisation by another name: {status} {wrong}")
    status, erasure = world.call("POST", "/v1/organisation/erase", {"confirm": "erase", "name": victim["name"]})
    assert status == 202, erasure
    time.sleep(0.3)
    world.kill("relay")
    with sqlite3.connect(f"file:{world.dir}/relay/relay.db?mode=ro", uri=True) as database:
        left = database.execute("select count(*) from job_events where org = ?", (victim["id"],)).fetchone()[0]
    if left == 0:
        problems.append("control: the relay was not killed in the middle")
    world.start("relay")
    world.wait_ready()
    if (status := world.call("GET", "/v1/whoami")[0]) != 401:
        problems.append(f"a token of an erased organisation still gets {status}")
    as_whom(world, world.platform)
    path = f"/v1/erasures/{erasure['id']}"
    wait_for("the end of the erasure", lambda: world.read(path)["state"] == "erased", 240)
    erasure = world.read(path)
    document = erasure["receipt"]["document"]
    if document["rows"].get("job_events", 0) < MANY:
        problems.append(f"the receipt counts rows from its second half only: {document['rows']}")
    if objects(world) or document["archived_objects"] != {"left": 0, "removed": 1} or erasure["archived_objects_left"]:
        problems.append(f"the archive of an erased organisation: {objects(world)}, {document['archived_objects']}")
    if document["keys"]["hours"] < 1 or document["keys"]["anchor_after"] <= document["keys"]["anchor_before"]:
        problems.append(f"the keys in the receipt: {document['keys']}")
    problems += [f"{name}, which a restore left, still holds the keys" for name in LEFT if (world.dir / "relay/keys" / name).exists()]
    if '"event":"keys.copy_left"' not in (world.dir / "relay.log").read_text():
        problems.append("what a restore left is not told of")
    problems += check_receipt(world, erasure) + expect_gone(world, texts_of(victim), "an organisation")
    if rows_of(world, victim["id"]):
        problems.append(f"rows of an erased organisation: {rows_of(world, victim['id'])[:3]}")
    if rows_of(world, other["id"]) != before:
        problems.append("another organisation has been touched")
    fault, heads = chain_fault(world, victim["id"])
    if fault or heads.get(document["ledger"]["rows"]) != document["ledger"]["head"]:
        problems.append(f"the ledger of the erased organisation: {fault}, {document['ledger']}")
    if not world.read("/v1/platform/audit-events/verify")["intact"]:
        problems.append("the system's ledger does not verify")
    return problems


def controls(world):
    problems = []
    name = world.organisations["victim"]["name"]
    planted = world.dir / "relay/planted"
    planted.write_bytes(b"x" + base64.b64encode(name.encode()))
    if not leaks(world, [name]):
        problems.append("control: what was planted in a file was not found")
    planted.unlink()
    world.kill("relay")
    copy = world.dir / "relay/relay.db"
    with sqlite3.connect(copy) as database:
        database.execute("drop trigger audit_rows_are_not_edited")
        database.execute("update audit_rows set json = replace(json, 'done', 'lost') where org = ? and seq = 1", (world.organisations["victim"]["id"],))
    database.close()
    if chain_fault(world, world.organisations["victim"]["id"])[0] != "row 1":
        problems.append("control: an edited row was not found")
    return problems


def main():
    world = World(pathlib.Path(sys.argv[1]).resolve())
    world.platform = world.token
    try:
        with open(world.dir / "relay/relay.yaml", "a") as settings:
            settings.write(f'archives:\n  local: {{directory: "{world.dir}/archive"}}\n')
        (world.dir / "agent/policy.yaml").write_text("version: 1\nactions: [log.write@1]\n")
        (world.dir / "agent/connections.yaml").write_text("version: 1\nconnections: {}\n")
        world.start("relay")
        world.wait_ready()
        found(world)
        for name in ("other", "victim"):
            live(world, name)
        problems = erase_person(world) + erase_organisation(world) + controls(world)
        print("\n".join(problems) if problems else "a person and an organisation were erased, across a kill -9: on no disk, with receipts, and the ledgers verify")
        return 1 if problems else 0
    finally:
        world.close()
        shutil.rmtree(world.dir, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
