"""./dev bench footprint, dispatch, postgres, idle: one relay and one agent as they are installed.

footprint  memory and CPU of an idle, linked agent, before it has done anything and after 100 jobs: resident, private, CPU ticks in 20 s
dispatch   time from the API call being sent to the first step running, one job after the other on an idle pair; p50, p95, p99.
           Fails when p50 reaches 50 ms; footprint when the agent reaches 20 MB, or 6 MB of its own, before or after.
postgres   footprint for an agent that writes to PostgreSQL, and so loads its client library: told, not judged (docs/decisions/0015). Alone.
idle       the same for an agent that had nothing to do for longer than a lease, which it has to have confirmed then (docs/decisions/0007)
"""
import datetime
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from failover import LEASE, set_lease  # noqa: E402
from kill_loop import Postgres, World, start_pair  # noqa: E402


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def first_step_started(world, job):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        events = world.call("GET", f"/v1/jobs/{job}/events")[1]["items"]
        for event in events:
            if event["kind"] == "step.started":
                return instant(event["at"])
        time.sleep(0.01)
    raise SystemExit(f"job {job} did not start a step")


def dispatch(world, runs=200, pause=0):
    latencies = []
    for n in range(runs):
        time.sleep(pause)
        sent = time.time() * 1000
        job = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": n}})[1]
        latencies.append(first_step_started(world, job["id"]) - sent)
    cuts = statistics.quantiles(latencies, n=100)
    print(f"dispatch: {runs} jobs, p50 {cuts[49]:.0f} ms, p95 {cuts[94]:.0f} ms, p99 {cuts[98]:.0f} ms (API call sent to first step running)")
    return cuts[49] < 50


def idle(world):
    return dispatch(world, runs=12, pause=LEASE + 1)


def has_libpq(world):
    return "/libpq.so" in pathlib.Path(f"/proc/{world.processes['agent'].pid}/maps").read_text()


def footprint(world):
    fresh = idle_agent(world, "before any job")
    jobs = [world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": n}})[1]["id"] for n in range(100)]
    for job in jobs:
        first_step_started(world, job)
    time.sleep(45)  # their ends, and the agent's tidying up
    used = idle_agent(world, "after 100 jobs")
    assert has_libpq(world) == bool(world.server), "PostgreSQL's client library is loaded exactly by an agent that uses it"
    return all(kib["Rss"] * 1024 < 20_000_000 and kib["Private_Dirty"] * 1024 < 6_000_000 for kib in (fresh, used))


def postgres(world):
    footprint(world)
    return True


def idle_agent(world, when):
    pid = world.processes["agent"].pid
    time.sleep(5)
    rollup = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kib = {name: int(value.split()[0]) for name, value in rollup.items()}

    def ticks():
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(20)
    print(f"footprint: agent idle and linked, {when}: {kib['Rss'] / 1024:.1f} MiB resident, {kib['Private_Dirty'] / 1024:.1f} MiB private dirty, "
          f"{ticks() - before} CPU ticks in 20 s, program {os.path.getsize(world.bin / 'sallyport-agent') / 1048576:.1f} MiB")
    return kib


WORDS = ["footprint", "dispatch", "postgres", "idle"]


def main(programs, wanted):
    if "postgres" in wanted and len(wanted) > 1:
        raise SystemExit("postgres stands alone: it is another agent")
    world = World(programs, server=Postgres if "postgres" in wanted else None)
    try:
        if "idle" in wanted:
            set_lease(world)
        start_pair(world)
        results = [{"dispatch": dispatch, "footprint": footprint, "idle": idle, "postgres": postgres}[name](world) for name in wanted]
        return 0 if all(results) else 1
    finally:
        world.close()
