"""./dev bench footprint, dispatch, postgres, idle: one relay and one agent as they are installed.

footprint  an idle, linked agent: how soon it is ready, its bytes on the wire, and before it has done anything and after 100 jobs: memory and CPU ticks in 20 s
dispatch   time from the API call being sent to the first step running, one job after the other on an idle pair; p50, p95, p99.
           Fails when p50 reaches 50 ms; footprint as its table says.
postgres   footprint for an agent that writes to PostgreSQL, and so loads its client library: told, not judged (docs/decisions/0015). Alone.
idle       the same for an agent that had nothing to do for longer than a lease, which it has to have confirmed then (docs/decisions/0007)
"""
import datetime
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

import processes
from gates import VERDICT_HEAD, Gate, judge, missed, table, verdict_rows

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


FOOTPRINT = [Gate("S7", "ready after, s", "ready_s", True, 1)] + \
    [gate for when in ("fresh", "used") for gate in (Gate("S7", f"MB resident, {when}", f"{when}_rss", True, 20, 12),
                                                     Gate("S7", f"MB private, {when}", f"{when}_private", True, 6, 3),
                                                     Gate("S7", f"CPU ticks in 20 s, {when}", f"{when}_ticks", True, 0))] + \
    [Gate("S7", "MB on the wire in an idle day", "day_MB", True, None, 1)]
WATCHED = 60  # seconds of idle traffic


def footprint(world):
    figures = {"ready_s": ready_after(world), "day_MB": idle_day(world)} | idle_agent(world, "fresh")
    jobs = [world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": n}})[1]["id"] for n in range(100)]
    for job in jobs:
        first_step_started(world, job)
    time.sleep(45)  # their ends, and the agent's tidying up
    figures |= idle_agent(world, "used")
    assert has_libpq(world) == bool(world.server), "PostgreSQL's client library is loaded exactly by an agent that uses it"
    verdicts = [judge(gate, {"sallyport": figures}) for gate in FOOTPRINT]
    print(f"\nfootprint: fresh, and after 100 jobs; a day's traffic is that of {WATCHED} s times {86_400 // WATCHED}, headers of IP and TCP included; program "
          f"{os.path.getsize(world.bin / 'sallyport-agent') / 1048576:.1f} MiB; load {os.getloadavg()[0]:.1f}\n")
    print(table(VERDICT_HEAD, verdict_rows(verdicts), False))
    return not missed(verdicts)


def postgres(world):
    footprint(world)
    return True


def ready_after(world):
    """Seconds from the start of the agent's process until it tells its service manager that it is ready, which it does after a round trip on its link."""
    world.kill("agent")
    told = world.dir / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(told))
        manager.settimeout(60)
        world.env["NOTIFY_SOCKET"] = str(told)
        began = time.monotonic()
        world.start("agent")
        while b"READY=1" not in manager.recv(4096):
            pass
        took = time.monotonic() - began
    del world.env["NOTIFY_SOCKET"]
    return took


def wire_bytes(world):
    """What the agent's connection has moved so far, both ways: payload, and 52 bytes of headers for each segment (IPv4, TCP with time stamps)."""
    told = subprocess.run(["ss", "-tinpHO"], capture_output=True, text=True, check=True, timeout=30).stdout
    line = next(line for line in told.splitlines() if f"pid={world.processes['agent'].pid}," in line)
    count = {name: int(value) for name, value in re.findall(r"(bytes_sent|bytes_received|segs_out|segs_in):(\d+)", line)}
    return count["bytes_sent"] + count["bytes_received"] + 52 * (count["segs_out"] + count["segs_in"])


def idle_day(world):
    """MB of a day like the next minute."""
    time.sleep(10)
    before = wire_bytes(world)
    time.sleep(WATCHED)
    return (wire_bytes(world) - before) * 86_400 / WATCHED / 1e6


def idle_agent(world, when):
    pids = [world.processes["agent"].pid]
    time.sleep(5)
    kib = processes.memory(pids)
    before = processes.cpu_seconds(pids)
    time.sleep(20)
    ticks = round((processes.cpu_seconds(pids) - before) * os.sysconf("SC_CLK_TCK"))
    return {f"{when}_rss": kib["Rss"] * 1024 / 1e6, f"{when}_private": kib["Private_Dirty"] * 1024 / 1e6, f"{when}_ticks": ticks}


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
