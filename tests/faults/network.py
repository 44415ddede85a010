#!/usr/bin/env python3
"""Bad days of the network between an agent and its relay, one after the other, while jobs run and a connection through a tunnel is open.

network.py BIN [EPISODES] [--plant-fault | --part]; 10 episodes without a number; SALLYPORT_SEED replays a run's choices; SALLYPORT_LONG=1 lets episodes be longer than what
links notice (up to 25 s); SALLYPORT_BESIDE (1) relays with an agent each share the episodes side by side, as parts whose lateness is judged together.
The agent is in a network namespace at the other end of a wire that loses packets at random, swallows one direction or both, resets every connection, carries 1 Mbit/s
or delays; and each side stands still for a while (SIGSTOP). After each episode it is measured how long it takes until a new job has succeeded and a new connection through the
tunnel has answered. Held against the ledgers of kill_loop.py: every job that the API accepted has succeeded, no transactional effect is there twice or missing; and every
connection through the tunnel gave back a prefix of what was sent, to the byte. 99 of 100 episodes have to be over within 15 s.
--plant-fault doubles a row, removes one, changes a byte of a connection and leaves the wire dead after an episode, and succeeds only if all four are found.
Exit code 77, and why, where namespaces cannot be made.
"""
import collections
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("e2e", "")]
from kill_loop import World, count_effects, faults_in, free_port, outside_statuses, tell, wait_for_ends  # noqa: E402
from support.cell import FaultyCell  # noqa: E402

BACK_WITHIN = 15  # seconds, 99 of 100
GIVE_UP = 60
ECHO = """
import contextlib, socket, threading
def echo(connection):
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(1 << 16):
            connection.sendall(data)
listener = socket.create_server(("127.0.0.1", %d))
while True:
    threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()
"""
GONE = {"loss": 1}
SPOILT = {
    "drop": lambda choose: {"to_relay": {"loss": choose.uniform(0.05, 0.3)}, "to_agent": {"loss": choose.uniform(0.05, 0.3)}},
    "deaf relay": lambda choose: {"to_relay": GONE},
    "deaf agent": lambda choose: {"to_agent": GONE},
    "black hole": lambda choose: {"to_relay": GONE, "to_agent": GONE},
    "1 Mbit/s": lambda choose: {"to_relay": {"rate": 125_000}, "to_agent": {"rate": 125_000}},
    "delay": lambda choose: {"to_relay": {"delay": choose.uniform(0.05, 0.4)}, "to_agent": {"delay": choose.uniform(0.05, 0.4)}},
}
KINDS = [*SPOILT, "reset", "agent stands still", "relay stands still"]


class Apart(World):
    """The relay and the operator are here, the agent in the cell with what its tunnel leads to."""

    def __init__(self, binaries, cell):
        self.cell = cell
        super().__init__(binaries)
        self.echo, self.entrance = free_port(), free_port()
        with open(self.dir / "agent/policy.yaml", "a") as policy:
            policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{self.echo}"}}\n')
        self.processes["echo"] = subprocess.Popen(cell.inside(sys.executable, "-c", ECHO % self.echo))

    def run(self, program, *words, stdin=None):
        words = [*map(str, words)]
        if words[0] == "init":
            link = words[words.index("--link") + 1].rsplit(":", 1)[1]
            words[words.index("--link") + 1] = f"0.0.0.0:{link}"
            words += ["--link-address", f"{self.cell.relay}:{link}"]
        if program != "sallyport-agent":
            return super().run(program, *words, stdin=stdin)
        done = subprocess.run(self.cell.inside(self.bin / program, *words), input=stdin, env=self.env, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_agent(self):
        log = open(self.dir / "agent.log", "ab")
        command = self.cell.inside(self.bin / "sallyport-agent", "run", "--config", self.dir / "agent")
        self.processes["agent"] = subprocess.Popen(command, stdout=log, stderr=log, env=self.env)

    def begin(self):
        self.start("relay")
        self.wait_ready()
        self.run("sallyport", "group", "create", "dc1")
        string = json.loads(self.run("sallyport", "agent", "token", "create", "--group", "dc1", "-o", "json"))["enrolment_string"]
        self.run("sallyport-agent", "enrol", "--config", self.dir / "agent", "-", stdin=string + "\n")
        self.start_agent()
        self.run("sallyport", "recipes", "apply", "-f", self.dir / "recipe.yaml", "--activate")
        self.run("sallyport", "tunnel", "create", "echo", "--group", "dc1", "--target", f"127.0.0.1:{self.echo}", "--listen", f"127.0.0.1:{self.entrance}")


class Jobs:
    """Jobs that are started one after the other until told to stop."""

    def __init__(self, world):
        self.world, self.accepted, self.stop, self.lock, self.n = world, {}, threading.Event(), threading.Lock(), 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        """One more; its key makes it safe to ask again when an answer got lost."""
        with self.lock:
            n, self.n = self.n, self.n + 1
        deadline = time.monotonic() + GIVE_UP
        while True:
            try:
                status, answer = self.world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": n}, "event_key": f"n{n}"})
                if status in (200, 202):
                    self.accepted[n] = answer["id"]
                    return answer["id"]
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit("the relay takes no job")
            time.sleep(0.05)

    def run(self):
        while not self.stop.wait(0.25):
            self.start()

    def has_succeeded(self, job):
        try:
            return self.world.call("GET", f"/v1/jobs/{job}")[1]["state"] == "succeeded"
        except (OSError, TypeError, KeyError, ValueError):
            return False


class Talker:
    """A connection through the tunnel, and after its end another one; what comes back is compared with what was sent."""

    def __init__(self, world):
        self.world, self.stop, self.found, self.connections, self.bytes, self.falsify = world, threading.Event(), [], 0, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.world.entrance), timeout=GIVE_UP) as line:
                    self.connections += 1
                    self.talk(line)
            except OSError:
                self.stop.wait(0.1)

    def talk(self, line):
        sent, got = bytearray(), bytearray()
        line.settimeout(0.2)
        try:
            while not (self.stop.is_set() or (self.falsify and got)):
                words = f"{self.connections} says {len(sent)};".encode() * 50
                sent += words
                line.settimeout(GIVE_UP)
                line.sendall(words)
                line.settimeout(0.2)
                try:
                    while len(got) < len(sent):
                        if not (data := line.recv(1 << 16)):
                            self.found.append(f"connection {self.connections} ended as if all had been said, after {len(got)} bytes of {len(sent)}")
                            return
                        got += data
                except TimeoutError:
                    pass
                self.stop.wait(0.05)
        finally:
            self.bytes += len(got)
            if self.falsify and got:
                self.falsify = False
                got[len(got) // 2] ^= 1
            if not sent.startswith(got):
                self.found.append(f"connection {self.connections} gave back other bytes than were sent")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.world.entrance), timeout=1) as line:
                line.sendall(b"?")
                line.settimeout(1)
                return line.recv(1) == b"?"
        except OSError:
            return False


def spoil(world, kind, length, choose):
    """The bad day itself; the network is well again when this returns."""
    if kind in SPOILT:
        world.cell.spoil(**SPOILT[kind](choose))
        time.sleep(length)
        world.cell.spoil()
    elif kind == "reset":
        world.cell.reset()
    else:
        process = world.processes[kind.split()[0]]
        process.send_signal(signal.SIGSTOP)
        time.sleep(length)
        process.send_signal(signal.SIGCONT)


def recovery(jobs, talker):
    """Seconds until a new job has succeeded and a new connection has answered."""
    begun = time.monotonic()
    job = jobs.start()
    while not (jobs.has_succeeded(job) and talker.answers()):
        if time.monotonic() - begun > GIVE_UP:
            break
        time.sleep(0.05)
    return time.monotonic() - begun


def plant(world):
    with sqlite3.connect(world.dir / "effects.db") as ledger:
        ledger.execute("insert into effects values (0, 'one')")
    with sqlite3.connect(world.dir / "effects-server.db") as ledger:
        ledger.execute("delete from effects where n = 1 and step = 'three-b'")


def late_ones(took):
    """What is wrong with how long it took: one of a hundred may be late."""
    late = sorted((seconds for _, seconds in took if seconds > BACK_WITHIN), reverse=True)
    return [f"{len(late)} of {len(took)} episodes took longer than {BACK_WITHIN} s: {', '.join(f'{seconds:.1f}' for seconds in late[:5])}"] if len(late) > len(took) // 100 else []


def summary(took):
    worst = collections.defaultdict(float)
    for kind, seconds in took:
        worst[kind] = max(worst[kind], seconds)
    times = sorted(seconds for _, seconds in took) or [0]
    p99 = times[max(0, len(times) * 99 // 100 - 1)]
    return (f"back after {times[len(times) // 2]:.1f} s (median), {p99:.1f} s (p99), {times[-1]:.1f} s at the most; "
            f"the longest of each: {', '.join(f'{kind} {seconds:.1f} s' for kind, seconds in sorted(worst.items()))}")


def live_through(world, episodes, choose, planted):
    jobs, talker = Jobs(world), Talker(world)
    took, found = [], []
    first = recovery(jobs, talker)
    print(f"first job and connection after {first:.1f} s", flush=True)
    jobs.thread.start()
    talker.thread.start()
    kinds = []
    for number in range(episodes):
        if not kinds:
            kinds = choose.sample(KINDS, len(KINDS))
        kind = kinds.pop()
        length = choose.uniform(0.5, 25) if os.environ.get("SALLYPORT_LONG") else choose.uniform(0.3, 2)
        time.sleep(choose.uniform(0, 0.5))
        spoil(world, kind, length, choose)
        if planted:
            timer = threading.Timer(BACK_WITHIN + 5, world.cell.spoil)
            world.cell.spoil(to_relay=GONE)
            timer.start()
        took.append((kind, recovery(jobs, talker)))
        print(f"{number + 1}: {kind} for {length:.1f} s, back after {took[-1][1]:.1f} s", flush=True)
    jobs.stop.set()
    jobs.thread.join()
    talker.falsify = planted
    given_up = time.monotonic() + GIVE_UP
    while talker.falsify and time.monotonic() < given_up:
        time.sleep(0.05)
    talker.stop.set()
    talker.thread.join()
    states = wait_for_ends(world, jobs.accepted)
    statuses = outside_statuses(world, {n: jobs.accepted[n] for n in states})
    if planted:
        plant(world)
    found += faults_in(count_effects(world), states, statuses) + talker.found
    if "--part" not in sys.argv:
        found += late_ones(took)
    print(f"{len(states)} jobs, {talker.connections} connections with {talker.bytes >> 10} KiB; {summary(took)}", flush=True)
    return found


def side_by_side(binaries, episodes, parts, seed):
    """What is wrong in any of the parts, and with how long it took in all of them."""
    shares = [len(range(part, episodes, parts)) for part in range(parts)]
    processes = [subprocess.Popen([sys.executable, __file__, binaries, str(share), "--part"], stdout=subprocess.PIPE, text=True, env={**os.environ, "SALLYPORT_SEED": str(seed + part)})
                 for part, share in enumerate(shares)]
    took, lock = [], threading.Lock()

    def listen(part, output):
        for line in output:
            print(f"part {part}: {line}", end="", flush=True)
            if told := re.fullmatch(r"\d+: (.+) for .* s, back after ([\d.]+) s", line.strip()):
                with lock:
                    took.append((told[1], float(told[2])))

    listeners = [threading.Thread(target=listen, args=(part, process.stdout), daemon=True) for part, process in enumerate(processes)]
    try:
        for listener in listeners:
            listener.start()
        codes = [process.wait() for process in processes]
        for listener in listeners:
            listener.join()
    finally:
        for process in processes:
            process.terminate()
    if set(codes) == {77}:
        sys.exit(77)
    found = [f"part {part} failed" for part, code in enumerate(codes) if code != 0]
    if len(took) != episodes:
        found.append(f"{len(took)} of {episodes} episodes have been lived through")
    print(summary(took), flush=True)
    return found + late_ones(took)


def main():
    planted = "--plant-fault" in sys.argv
    numbers = [int(word) for word in sys.argv[2:] if word.isdigit()]
    episodes = 1 if planted else numbers[0] if numbers else 10
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 30)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then, too
    print(f"seed {seed}, {episodes} episodes", flush=True)
    if (parts := int(os.environ.get("SALLYPORT_BESIDE", 1))) > 1 and not planted and "--part" not in sys.argv:
        found = side_by_side(sys.argv[1], episodes, parts, seed)
        print(*found, sep="\n")
        return 1 if found else 0
    cell = FaultyCell()
    try:
        world = Apart(sys.argv[1], cell)
        try:
            world.begin()
            found = live_through(world, episodes, random.Random(seed), planted)
            if planted:
                print("planted faults found:", found)
                wanted = ("step one left 2 rows", "three-b left 0 rows", "other bytes than were sent", "took longer than")
                found = [f"the check did not find: {what}" for what in wanted if not any(what in fault for fault in found)]
            tell(world, found)
            return 1 if found else 0
        finally:
            world.close()
    finally:
        cell.close()


if __name__ == "__main__":
    sys.exit(main())
