#!/usr/bin/env python3
"""Deliveries to a webhook through a real relay and agent, while the relay is killed again and again.

webhooks.py BIN [--plant-fault]; SALLYPORT_KILLS (6) kills, SALLYPORT_SEED replays a run's choices.
A sender signs each delivery as Standard Webhooks has it and sends it again, signed anew, until it hears 202: so whatever the relay was at when it was killed, also between the signature and the
answer, is asked for again. At the end every delivery is sent once more. Checked: all answers to one delivery name the same job, there are as many jobs as deliveries, every job has succeeded, and its
effect is there once. Besides, of the running relay: a wrong signature, an old one and an unknown address are one and the same 401, a recorded request gives the job that it gave, and a secret that was
replaced is good until its time is over.
--plant-fault edits what was found (another job for an answer, a row doubled, a row removed, a refusal that says more) and succeeds only if the check finds all four.
"""
import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import random
import sqlite3
import sys
import threading
import time
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World, start_pair, tell, wait_for_ends  # noqa: E402

RECIPE = """recipe: delivered
run_on: dc1
trigger: {uses: webhook@1}
steps:
  - id: one
    uses: sql.execute@1
    connection: effects
    with: {statement: "insert into effects (n, step) values (:n, 'one')", params: {n: "${{ trigger.json.n }}"}}
"""


class Sender:
    def __init__(self, world, webhook):
        self.world, self.path, self.secret = world, webhook["path"], webhook["secret"]
        self.answers = collections.defaultdict(set)  # delivery -> the jobs that its answers named

    def sign(self, delivery, body, at=None, secret=None):
        at = str(int(at if at is not None else time.time()))
        key = base64.b64decode((secret or self.secret).removeprefix("whsec_"))
        digest = hmac.digest(key, f"{delivery}.{at}.".encode() + body, hashlib.sha256)
        return {"webhook-id": delivery, "webhook-timestamp": at, "webhook-signature": "v1," + base64.b64encode(digest).decode(), "Content-Type": "application/json"}

    def post(self, headers, body, path=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.world.api, context=self.world.context(), timeout=10)
        try:
            connection.request("POST", path or self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def deliver(self, n):
        """Once; true: it was taken."""
        body = json.dumps({"n": n}).encode()
        try:
            status, text = self.post(self.sign(f"msg_{n}", body), body)
        except (OSError, http.client.HTTPException):
            return False
        if status == 202:
            self.answers[n].add(json.loads(text)["job"])
        return status == 202

    def deliver_all(self, stop):
        n = 0
        while not stop.is_set():
            if self.deliver(n):
                n += 1
            else:
                time.sleep(0.02)


def refusals(sender):
    """What those hear who prove nothing."""
    body = b'{"n": 1000000}'
    wrong = base64.b64encode(b"x" * 32).decode()
    unknown = "/hooks/whk_" + "0" * 26
    return {"wrong secret": sender.post(sender.sign("msg_x", body, secret=wrong), body),
            "another body": sender.post(sender.sign("msg_x", body), body + b" "),
            "old": sender.post(sender.sign("msg_x", body, at=time.time() - 400), body),
            "early": sender.post(sender.sign("msg_x", body, at=time.time() + 400), body),
            "unsigned": sender.post({}, body),
            "unknown": sender.post(sender.sign("msg_x", body), body, unknown)}


def faults_in_refusals(heard):
    found = [f"{what}: {status}" for what, (status, _) in heard.items() if status != 401]
    return found + ([] if len(set(heard.values())) == 1 else [f"refusals differ: {heard}"])


def faults_in_rotation(sender):
    body = b'{"n": 0}'
    recorded = sender.sign("msg_0", body), body
    rotated = json.loads(sender.world.run("sallyport", "webhook", "rotate", sender.path.rsplit("/", 1)[1], "-o", "json"))
    heard = {"recorded": sender.post(*recorded), "signed anew": sender.post(sender.sign("msg_0", body, secret=rotated["secret"]), body)}
    found = [f"{what}, while both secrets are good: {answer}" for what, answer in heard.items() if answer[0] != 202 or json.loads(answer[1])["job"] not in sender.answers[0]]
    ended = json.loads(sender.world.run("sallyport", "webhook", "rotate", sender.path.rsplit("/", 1)[1], "--overlap", "0s", "-o", "json"))
    if sender.post(sender.sign("msg_0", body, secret=rotated["secret"]), body)[0] != 401:
        found.append("a secret that was ended is still good")
    sender.secret = ended["secret"]
    return found


def faults_in(answers, jobs, states, rows):
    found = [f"delivery {n} was answered with {len(named)} jobs" for n, named in answers.items() if len(named) != 1]
    found += [f"job {job} is of no delivery" for job in jobs - set().union(*answers.values())]
    found += [f"delivery {n} ended {state}" for n, state in states.items() if state != "succeeded"]
    return found + [f"delivery {n} left {rows[n]} rows" for n in answers if rows[n] != 1]


def all_jobs(world):
    jobs, cursor = set(), ""
    while True:
        page = world.read(f"/v1/jobs?limit=200&cursor={cursor}")
        jobs |= {job["id"] for job in page["items"]}
        if not page["next"]:
            return jobs
        cursor = page["next"]


def rows_of(world):
    with sqlite3.connect(world.dir / "effects.db") as ledger:
        return collections.Counter(n for (n,) in ledger.execute("select n from effects"))


def planted_in(sender, jobs, states, rows, heard):
    answers = {n: set(named) for n, named in sender.answers.items()}
    answers[0].add("job_other")
    rows = rows + collections.Counter({1: 1})
    rows[2] = 0
    found = faults_in(answers, jobs, states, rows)
    said = dict(heard, old=(401, b"it is old"))
    found += faults_in_refusals(said)
    print("planted faults found:", found)
    return len(found) == 4


def main():
    kills = int(os.environ.get("SALLYPORT_KILLS", "6")) if "--plant-fault" not in sys.argv else 1
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, {kills} kills", flush=True)
    choose = random.Random(seed)
    world = World(sys.argv[1])
    try:
        (world.dir / "recipe.yaml").write_text(RECIPE)
        start_pair(world)
        sender = Sender(world, json.loads(world.run("sallyport", "webhook", "create", "delivered", "-o", "json")))
        heard = refusals(sender)

        stop = threading.Event()
        thread = threading.Thread(target=sender.deliver_all, args=(stop,))
        thread.start()
        for _ in range(kills):
            least = len(sender.answers) + 3
            while len(sender.answers) < least:
                time.sleep(0.05)
            time.sleep(choose.uniform(0.0, 0.3))
            world.kill("relay")
            world.start("relay")
            world.wait_ready()
        stop.set()
        thread.join()
        for n in range(len(sender.answers)):
            while not sender.deliver(n):
                time.sleep(0.1)
        states = wait_for_ends(world, {n: next(iter(named)) for n, named in sender.answers.items()})
        found = faults_in_refusals(heard) + faults_in_rotation(sender)
        jobs, rows = all_jobs(world), rows_of(world)
        found += faults_in(sender.answers, jobs, states, rows)
        print(f"{len(sender.answers)} deliveries, {len(jobs)} jobs, {sum(rows.values())} effects", flush=True)
        if "--plant-fault" in sys.argv and not planted_in(sender, jobs, states, rows, heard):
            found.append("the check did not find what was planted")
        tell(world, found)
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
