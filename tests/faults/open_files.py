#!/usr/bin/env python3
"""A relay whose files all connections together would use up, beside somebody who opens as many as can be.

open_files.py BIN. With the usual soft limit of 1,024 the relay must raise it to the hard one; with a hard one of 1,024 it must take in fewer
connections than that. Both times 1,200 TLS connections of ten addresses stay silent in the API's port and hundreds of silent ones in the agents';
the relay must answer /readyz, take in an agent, run a job of it, and not have written of one failed accept. With a hard limit of 100 it must
not start, and say why. SALLYPORT_OPEN_FILES_SOFT=1 looks at the first case alone.
"""
import concurrent.futures
import json
import os
import resource
import socket
import ssl
import subprocess
import sys
import time

from kill_loop import World, tell

SILENT_PEOPLE = 1200
SILENT_AGENTS = 700
PER_ADDRESS = 127  # below what the relay allows one
DEADLINE = 90

RECIPE = """recipe: effects
run_on: dc1
trigger: {uses: manual@1}
steps:
  - {id: a, uses: log.write@1, with: {text: here}}
"""


class LimitedWorld(World):
    """Its relay has a limit of open files; its agent has not."""

    def __init__(self, binaries, soft, hard):
        super().__init__(binaries)
        self.limit = (soft, hard)
        (self.dir / "recipe.yaml").write_text(RECIPE)

    def start(self, name):
        if name != "relay":
            return super().start(name)
        with open(self.dir / "relay.log", "ab") as log:
            self.processes[name] = subprocess.Popen([self.bin / "sallyport-relay", "serve", "--data", self.dir / "relay"], stdout=log, stderr=log,
                                                    env=self.env, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, self.limit))

    def logged(self, event):
        lines = (self.dir / "relay.log").read_text(errors="replace").splitlines()
        return [line for line in map(json.loads, filter(lambda line: line.startswith("{"), lines)) if line["event"] == event]

    def link_port(self):
        text = (self.dir / "relay/relay.yaml").read_text()
        return int(text.split("link:")[1].split("listen:")[1].split()[0].strip('"').rsplit(":", 1)[1])


def dial(port, n, context=None):
    """A silent connection from the address of its number; nothing when the relay does not want it."""
    connection = socket.socket()
    try:
        connection.settimeout(3)
        connection.bind((f"127.0.1.{1 + n // PER_ADDRESS}", 0))
        connection.connect(("127.0.0.1", port))
        return context.wrap_socket(connection) if context else connection
    except OSError:
        connection.close()
        return None


def insist(world, *request):
    """A person who is turned away comes again: place is made when somebody has been silent for 2 s."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return world.call(*request)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def run_job(world):
    status, job = insist(world, "POST", "/v1/jobs", {"recipe_name": "effects"})
    if status not in (200, 202):
        raise SystemExit(f"POST /v1/jobs: {status} {job}")
    deadline = time.monotonic() + DEADLINE
    while (state := insist(world, "GET", f"/v1/jobs/{job['id']}")[1]["state"]) not in ("succeeded", "failed") and time.monotonic() < deadline:
        time.sleep(0.1)
    return state


def crowd(world):
    """The connections of somebody who means no good: each is held as long as the relay holds it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        people = list(pool.map(lambda n: dial(world.api, n, context), range(SILENT_PEOPLE)))
        return people + list(pool.map(lambda n: dial(world.link_port(), n), range(SILENT_AGENTS)))


def faults_among_the_silent(world, most):
    found = []
    world.start("relay")
    world.wait_ready()
    ready = world.logged("relay.ready")[-1]
    if ready.get("open_files") != most:
        found.append(f"the relay has not raised its limit to {most}: {ready}")
    world.run("sallyport", "group", "create", "dc1")
    world.run("sallyport", "recipes", "apply", "-f", world.dir / "recipe.yaml", "--activate")
    text = json.loads(world.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
    held = crowd(world)
    print(f"hard limit {most}: {sum(one is not None for one in held)} of {len(held)} silent connections were let in", flush=True)
    try:
        status = insist(world, "GET", "/readyz")[0]
    except OSError as fault:
        status = fault
    if status != 200:
        found.append(f"/readyz beside the silent: {status}")
    world.run("sallyport-agent", "enrol", "--config", world.dir / "agent", "-", stdin=text + "\n")
    world.start("agent")
    if (state := run_job(world)) != "succeeded":
        found.append(f"a job beside the silent: {state}")
    failed = world.logged("http.accept_failed") + world.logged("link.accept_failed")
    found += [f"accepting failed: {line}" for line in failed[:1]]
    for one in filter(None, held):
        one.close()
    return found


def faults_with_too_few(world):
    world.start("relay")
    code = world.processes["relay"].wait(timeout=DEADLINE)
    said = (world.dir / "relay.log").read_text()
    if code == 1 and "may have 100 files open, and the relay needs 384 at the least" in said:
        return []
    return [f"a relay with 100 files ended with {code} and said: {said}"]


def play(binaries, soft, hard, look):
    world = LimitedWorld(binaries, soft, hard)
    try:
        found = look(world)
        tell(world, found)
        return found
    finally:
        world.close()


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = SILENT_PEOPLE + SILENT_AGENTS + 200
    if hard != resource.RLIM_INFINITY and hard < 14_000:
        print(f"this shell may have {hard} files open: too few to look at a relay with enough of them")
        return 77
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    found = play(sys.argv[1], 1024, 14_000, lambda world: faults_among_the_silent(world, 14_000))
    if "SALLYPORT_OPEN_FILES_SOFT" not in os.environ:
        found += play(sys.argv[1], 1024, 1024, lambda world: faults_among_the_silent(world, 1024))
        found += play(sys.argv[1], 100, 100, faults_with_too_few)
    print("no fault" if not found else f"{len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
