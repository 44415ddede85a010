"""A relay and thousands of simulated agents: the agent's own code for enrolment, link and liveness, many in one process (tests/bench/agents)."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import World  # noqa: E402

IN_ONE_PROCESS = 2_000
AT_ONCE = 250
RECIPE = """
recipe: nothing
run_on: dc1
trigger: {uses: manual@1}
steps:
  - {id: say, uses: log.write@1, with: {level: info, text: "nothing"}}
"""


class Process:
    """One load process. It is told a line and answers a line."""

    def __init__(self, program, count, links, enrolment_string):
        self.process = subprocess.Popen([program, "crowd", str(count), str(links)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(enrolment_string + "\n")
        self.process.stdin.flush()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("bench: a process of simulated agents ended")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Crowd:
    """`count` agents of group dc1 with so many links each, enrolled with one string. The relay is started, the agents are not linked yet."""

    def __init__(self, programs, count, links=1):
        self.count, self.links, self.processes = count, links, []
        self.world = World(programs, agents=())
        try:
            self.world.start("relay")
            self.world.wait_ready()
            self.world.run("sallyport", "group", "create", "dc1")
            words = ["agent", "token", "create", "--group", "dc1", "--max-uses", str(count), "-o", "json"]
            string = json.loads(self.world.run("sallyport", *words))["enrolment_string"]
            for begin in range(0, count, IN_ONE_PROCESS):
                self.processes.append(Process(self.world.bin / "bench_agents", min(IN_ONE_PROCESS, count - begin), links, string))
            self.enrolment_seconds = self.wait_for("enrolled", count, 120 + count / 10)
        except BaseException:
            self.close()
            raise

    def state(self):
        told = [process.tell("status") for process in self.processes]
        return {name: sum(one[name] for one in told) for name in ("enrolled", "ready", "jobs_done", "handshakes")} | {"problem": next((one["problem"] for one in told if one["problem"]), "")}

    def link_by_and_by(self, count):
        """As link(), a few hundred at a time: not a storm. Seconds for all."""
        return sum(self.link(min(count, begin + AT_ONCE)) for begin in range(0, count, AT_ONCE))

    def link(self, count):
        """Seconds until so many agents, which those that are linked already are among, have had a round trip through the dispatch path."""
        shares = [max(0, min(IN_ONE_PROCESS, count - begin)) for begin in range(0, self.count, IN_ONE_PROCESS)]
        for process, share in zip(self.processes, shares):
            process.tell(f"link {share}")
        return self.wait_for("ready", count, 120 + count / 20)

    def wait_for(self, name, count, seconds):
        """Seconds until so many agents are so."""
        began = time.monotonic()
        state = self.state()
        while state[name] < count:
            if time.monotonic() - began > seconds:
                raise SystemExit(f"bench: {state[name]} of {count} agents {name} after {seconds:.0f} s; {state['problem']}\n{self.log_end()}")
            time.sleep(0.1)
            state = self.state()
        return time.monotonic() - began

    def relay_pid(self):
        return self.world.processes["relay"].pid

    def restart_relay(self, how=signal.SIGKILL):
        relay = self.world.processes["relay"]
        relay.send_signal(how)
        relay.wait(60)
        self.world.start("relay")

    def run_jobs(self, count):
        """Jobs that the simulated agents are given and end; seconds until the last one has."""
        recipe = self.world.dir / "nothing.yaml"
        recipe.write_text(RECIPE)
        self.world.run("sallyport", "recipes", "apply", "-f", recipe, "--activate")
        began = time.monotonic()
        jobs = []
        for n in range(count):
            status, job = self.world.call("POST", "/v1/jobs", {"recipe_name": "nothing", "event_key": f"bench-{n}"})
            if status not in (200, 202):
                raise SystemExit(f"bench: a job was not taken: {status} {job}")
            jobs.append(job["id"])
        for job in jobs:
            while (state := self.world.read(f"/v1/jobs/{job}")["state"]) != "succeeded":
                if state not in ("queued", "dispatched", "running") or time.monotonic() - began > 60:
                    raise SystemExit(f"bench: a job that simulated agents were to take is {state}")
                time.sleep(0.02)
        return time.monotonic() - began

    def log_end(self):
        return "\n".join((self.world.dir / "relay.log").read_text(errors="replace").splitlines()[-5:])

    def close(self):
        for process in self.processes:
            process.close()
        self.world.close()




def cpu_note():
    return f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end, {time.strftime('%Y-%m-%d')}"
