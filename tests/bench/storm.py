"""./dev bench storm [N]: N linked agents lose their relay, killed or told to stop, and it is started again at once.

Told are the seconds from the start of the new one until every agent is ready again, and how long the web API takes to answer meanwhile, each question over a new
connection. N are simulated agents, all at one address.
"""
import argparse
import signal
import threading
import time

import crowd
import processes
import space
from gates import VERDICT_HEAD, Gate, judge, missed, number, table, verdict_rows

WAYS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM}
GATES = [gate for way in WAYS for gate in (Gate("T14", "seconds until all agents are back", "back_s", True, 60, None, None, way),
                                           Gate("T14", "p99 of the web API meanwhile, ms", "api_p99_ms", True, 1_000, None, None, way),
                                           Gate("T14", "TLS handshakes for each link", "handshakes", True, 2, 1.2, None, way))]
LARGE = 10_000
LARGE_GATES = [Gate("S6", f"seconds until {LARGE:,} agents are back", "back_s", True, None, 8, None, way) for way in WAYS]


class Asking:
    """Asks the web API over and over, from when it is first ready until it is closed."""

    def __init__(self, world):
        self.world, self.times, self.failures, self.ready_after = world, [], 0, None
        self.began = time.monotonic()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        while not self.over.wait(0.05):
            sent = time.monotonic()
            try:
                good = self.world.call("GET", "/v1/groups" if self.ready_after else "/readyz")[0] in (200, 429)
            except OSError:
                good = False
            if self.ready_after is None:
                self.ready_after = time.monotonic() - self.began if good else None
            elif good:
                self.times.append((time.monotonic() - sent) * 1000)
            else:
                self.failures += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(30)


def at(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("inf")


def storm(agents, how):
    shaken = agents.state()["handshakes"]
    with Asking(agents.world) as asking:
        agents.restart_relay(how)
        began = time.monotonic()
        time.sleep(0.2)  # agents that have not noticed yet still count as ready
        back = agents.wait_for("ready", agents.count, 300) + 0.2
        seconds = time.monotonic() - began
        cpu = processes.cpu_seconds([agents.relay_pid()])
    return {"back_s": back, "relay_ready_s": asking.ready_after, "api_p50_ms": at(asking.times, 0.5), "api_p99_ms": at(asking.times, 0.99),
            "api_asked": len(asking.times), "api_failed": asking.failures, "handshakes": (agents.state()["handshakes"] - shaken) / agents.count / agents.links, "relay_cpu_s": cpu, "cpu_share": cpu / seconds}


COLUMNS = [("back_s", "all back, s"), ("relay_ready_s", "relay ready, s"), ("api_p50_ms", "API p50 ms"), ("api_p99_ms", "p99"), ("api_asked", "asked"),
           ("api_failed", "failed"), ("handshakes", "handshakes each link"), ("relay_cpu_s", "relay CPU s"), ("cpu_share", "CPUs of it")]


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev bench storm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, help="how many agents (default 5000, with --quick 200)")
    parser.add_argument("--links", type=int, default=1, choices=range(1, 5), help="of each agent (default 1; agents as they are installed keep 2)")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true", help="print markdown")
    options = parser.parse_args(words)
    options.count = options.count or (200 if options.quick else 5_000)
    return options


def main(programs, words):
    options = parse(words)
    space.raise_files()
    agents = crowd.Crowd(programs, options.count, options.links)
    figures = {}
    try:
        agents.link_by_and_by(options.count)
        print(f"{options.count} agents linked", flush=True)
        for way, how in WAYS.items():
            figures[way] = storm(agents, how)
            print(f"{way}: all back", flush=True)
        agents.run_jobs(10)
    finally:
        agents.close()
    print(f"\n{options.count} agents, {options.links} links each; {crowd.cpu_note()}\n")
    print(table(["relay ended by", *(title for _, title in COLUMNS)], [[way, *(number(one.get(key)) for key, _ in COLUMNS)] for way, one in figures.items()], options.report))
    verdicts = [judge(gate, figures) for gate in GATES + (LARGE_GATES if options.count >= LARGE else [])]
    print("\n" + table(VERDICT_HEAD, verdict_rows(verdicts), options.report))
    return 1 if missed(verdicts) else 0
