"""./dev bench agents [N]: what linked agents cost a relay, and its handshakes beside those of a plain TLS server.

N simulated agents enrol with one string and link by mutual TLS; when every one has had a round trip through the dispatch path, the relay's memory is compared with
that of the same relay started afresh, and jobs go to them. Handshakes are counted in CPU time of the server, which is what a busy machine leaves comparable.
"""
import argparse
import json
import signal
import subprocess
import time

import crowd
import processes
import space
from gates import VERDICT_HEAD, Gate, judge, medians, missed, number, table, verdict_rows
from kill_loop import free_port
from peers import link_port, wait_port

LARGE = 10_000
GATES = [Gate("S6", "private KiB on the relay for each idle linked agent", "agent_KiB", True, 36, 26),
         Gate("S6", "handshakes for a CPU second", "handshakes_per_cpu_s", False, 1.3, 1.5, "plain SSL_CTX server")]
LARGE_GATES = [Gate("S6", f"private MiB of a relay with {LARGE:,} agents", "private_MiB", True, None, 400)]
JOBS = 100


def shake(program, server, identity, pid, seconds):
    """Handshakes that a server did, and its CPU seconds for them."""
    before = processes.cpu_seconds([pid])
    words = [program, "handshakes", server, identity, str(seconds), "4"]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, timeout=seconds * 4 + 60, check=True).stdout)
    time.sleep(0.5)
    cpu = processes.cpu_seconds([pid]) - before
    if not told["done"] or not cpu:
        raise SystemExit(f"bench: no handshakes with {server}: {told}")
    return {"handshakes_per_cpu_s": told["done"] / cpu, "handshakes_per_s": told["done"] / seconds, "handshakes_failed": told["failed"]}


def compare_handshakes(agents, options):
    world = agents.world
    program, identity = world.bin / "bench_agents", world.dir / "identity"
    agents.processes[0].tell(f"save {identity}")
    relay = f"127.0.0.1:{link_port(world)}"
    port = free_port()
    naive = subprocess.Popen([program, "naive", f"127.0.0.1:{port}", str(identity)])
    try:
        wait_port(port, naive)
        runs = {"sallyport": [], "plain SSL_CTX server": []}
        for _ in range(options.runs):
            runs["sallyport"].append(shake(program, relay, identity, agents.relay_pid(), options.seconds))
            runs["plain SSL_CTX server"].append(shake(program, f"127.0.0.1:{port}", identity, naive.pid, options.seconds))
    finally:
        naive.kill()
        naive.wait()
    return {name: medians(one) for name, one in runs.items()}


def link_all(agents, options):
    """Figures of a relay that was started afresh, without agents and with all of them."""
    agents.restart_relay(signal.SIGTERM)
    agents.world.wait_ready()
    time.sleep(options.settle)
    before = processes.memory([agents.relay_pid()])
    cpu = processes.cpu_seconds([agents.relay_pid()])
    linked_in = agents.link_by_and_by(agents.count)
    link_cpu = processes.cpu_seconds([agents.relay_pid()]) - cpu
    time.sleep(options.settle)
    cpu = processes.cpu_seconds([agents.relay_pid()])
    time.sleep(options.settle)
    cpu = processes.cpu_seconds([agents.relay_pid()]) - cpu
    after = processes.memory([agents.relay_pid()])
    if (state := agents.state())["ready"] != agents.count:
        raise SystemExit(f"bench: agents lost their links while idle: {state}")
    private = {name: memory["Private_Dirty"] for name, memory in (("before", before), ("after", after))}
    return {"agents": agents.count, "links": agents.links, "agent_KiB": (private["after"] - private["before"]) / agents.count, "private_MiB": private["after"] / 1024,
            "rss_MiB": after["Rss"] / 1024, "linked_s": linked_in, "link_cpu_ms": link_cpu * 1000 / agents.count,
            "idle_cpu_percent": cpu / options.settle * 100, "enrolled_s": agents.enrolment_seconds}


COLUMNS = [("agents", "agents"), ("links", "links each"), ("agent_KiB", "private KiB each"), ("private_MiB", "relay's private MiB"), ("rss_MiB", "resident MiB"), ("enrolled_s", "all enrolled, s"),
           ("linked_s", "all linked, s"), ("link_cpu_ms", "CPU ms for each link"), ("idle_cpu_percent", "CPU % idle"), ("jobs_s", f"{JOBS} jobs, s"),
           ("handshakes_per_s", "handshakes/s"), ("handshakes_per_cpu_s", "for a CPU second")]


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev bench agents", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, help="how many agents (default 2000, with --quick 200)")
    parser.add_argument("--links", type=int, default=1, choices=range(1, 5), help="of each agent (default 1; agents as they are installed keep 2)")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true", help="print markdown")
    options = parser.parse_args(words)
    options.count = options.count or (200 if options.quick else 2_000)
    options.runs, options.seconds, options.settle = (1, 1, 6) if options.quick else (3, 3, 20)
    return options


def main(programs, words):
    options = parse(words)
    space.raise_files()
    agents = crowd.Crowd(programs, options.count, options.links)
    try:
        print(f"{options.count} agents enrolled", flush=True)
        figures = compare_handshakes(agents, options)
        figures["sallyport"] |= link_all(agents, options)
        print(f"{options.count} agents linked", flush=True)
        figures["sallyport"]["jobs_s"] = agents.run_jobs(JOBS)
        if agents.state()["jobs_done"] < JOBS:
            raise SystemExit("bench: the jobs ended elsewhere")
    finally:
        agents.close()
    print(f"\n{crowd.cpu_note()}\n")
    print(table(["server", *(title for _, title in COLUMNS)], [[name, *(number(one.get(key)) for key, _ in COLUMNS)] for name, one in figures.items()], options.report))
    verdicts = [judge(gate, figures) for gate in GATES + (LARGE_GATES if options.count >= LARGE else [])]
    print("\n" + table(VERDICT_HEAD, verdict_rows(verdicts), options.report))
    return 1 if missed(verdicts) else 0
