"""./dev bench scale [agents] [channels] [rtt]: how cost grows with agents (10 to 10,000), with open channels (1 to 5,000) and with the length of the line.

Twice as many must not cost more than 2.1 times as much memory and CPU; what is there without any is taken off first. `rtt` needs root, as `tunnel` does.
"""
import argparse
import math
import signal
import time

import crowd
import peers
import processes
import space
import tunnel
from gates import VERDICT_HEAD, Gate, judge, missed, table, verdict_rows
from plots import plot

WORDS = ["agents", "channels", "rtt"]
AGENTS = [10, 30, 100, 300, 1_000, 3_000, 10_000]
CHANNELS = [1, 10, 100, 300, 1_000, 3_000, 5_000]
FEW_FILES_CHANNELS = 3_000
ROUND_TRIPS = [0, 10, 20, 50, 100, 200]
# Below, what a process allocates once, and the kernel's tick, are most of it.
LEAST = {"agents_memory": 300, "agents_cpu": 300, "agents_idle": 1_000, "channels_memory": 300}
GATES = [Gate("S11", "memory of twice as many agents", "agents_memory", True, 2.1), Gate("S11", "CPU to link twice as many agents", "agents_cpu", True, 2.1),
         Gate("S11", "CPU of twice as many idle agents", "agents_idle", True, 2.1),
         Gate("S11", "memory of twice as many channels", "channels_memory", True, 2.1)]


def for_twice(points, least):
    """By how much cost grows when the number doubles, at worst between two points that follow each other; `points` are (number, cost)."""
    points = [(count, cost) for count, cost in points if count >= least and cost > 0]
    steps = [(high_cost / low_cost) ** (1 / math.log2(high / low)) for (low, low_cost), (high, high_cost) in zip(points, points[1:])]
    return max(steps) if steps else None


def grow_agents(programs, options):
    counts = [count for count in AGENTS if count <= options.agents]
    here = crowd.Crowd(programs, counts[-1])
    points = []
    try:
        here.restart_relay(signal.SIGTERM)
        here.world.wait_ready()
        time.sleep(options.settle)
        pids = [here.relay_pid()]
        base, linking, idle = processes.memory(pids)["Private_Dirty"], 0.0, 0.0
        for count in counts:
            used = processes.cpu_seconds(pids)
            seconds = here.link_by_and_by(count)
            linking += processes.cpu_seconds(pids) - used
            time.sleep(options.settle)
            before, used = idle, processes.cpu_seconds(pids)
            time.sleep(2 * options.settle)
            idle = (processes.cpu_seconds(pids) - used) / (2 * options.settle)
            linking -= seconds * (before + idle) / 2  # of those that were linked already
            points.append({"count": count, "memory": (processes.memory(pids)["Private_Dirty"] - base) / 1024, "cpu": linking, "idle": idle * 100})
            print(f"{count} agents linked", flush=True)
    finally:
        here.close()
    return points


class ManyAgents(peers.SallyportTunnel):
    """As many agents as 5,000 channels need, and a tunnel for each thousand. One organisation alone has half of a relay's places."""

    name = "many agents"
    AGENTS = tuple(f"agent{n}" for n in range(30))
    TUNNEL_CONNECTIONS = 2 * CHANNELS[-1]

    def make_tunnel(self, world, name, entrance, *more):
        if name == "wide":
            self.wide = [peers.free_port() for _ in range(5)]
            for n, port in enumerate(self.wide):
                super().make_tunnel(world, f"wide{n}", port, *more)
        else:
            super().make_tunnel(world, name, entrance, *more)


def grow_channels(programs, options):
    run = tunnel.Run(programs)
    points, held = [], []
    try:
        standing = ManyAgents(run, run.target)
        run.stack.callback(standing.close)
        pids = standing.wide_pids()
        time.sleep(options.settle)
        base, so_far = processes.memory(pids)["Pss"], 0
        for count in [one for one in CHANNELS if one <= options.channels]:
            while so_far < count:
                more = min(count, (so_far // 1_000 + 1) * 1_000) - so_far
                standing.wide_entrance = standing.wide[so_far // 1_000]
                held.append(tunnel.open_channels(run, standing, more))
                if (opened := held[-1].__enter__()) != more:
                    raise SystemExit(f"bench: {so_far + opened} channels are open, the next one failed")
                so_far += more
            time.sleep(options.settle)
            points.append({"count": count, "memory": (processes.memory(pids)["Pss"] - base) / 1024})
            print(f"{count} channels open", flush=True)
    finally:
        for one in held:
            one.__exit__(None, None, None)
        run.close()
    return points


def lengthen_line(programs, options):
    names = [name for name in tunnel.FAR if name not in peers.missing(tunnel.FAR)]
    figures = {name: [] for name in names}
    for round_trip in ROUND_TRIPS:
        run = tunnel.Run(programs, round_trip)
        try:
            for name, standing in run.open(names).items():
                told = tunnel.measure_all(run, standing, ["down1", "up1"], options.seconds)
                figures[name].append((round_trip, told["one_MBps"]))
        finally:
            run.close()
        print(f"{round_trip} ms done", flush=True)
    return figures


def tell_plots(figures, report):
    blocks = []
    if "agents" in figures:
        points = figures["agents"]
        blocks.append(plot("relay's private MiB by linked agents", [(f"{one['count']:,}", one["memory"]) for one in points]))
        blocks.append(plot("CPU s of the relay to link them, without what idle ones cost meanwhile", [(f"{one['count']:,}", one["cpu"]) for one in points]))
        blocks.append(plot("CPU % of one core while they are idle", [(f"{one['count']:,}", one["idle"]) for one in points]))
    if "channels" in figures:
        blocks.append(plot("MiB of relay and agents by open idle channels", [(f"{one['count']:,}", one["memory"]) for one in figures["channels"]]))
    for name, points in figures.get("rtt", {}).items():
        blocks.append(plot(f"{name}: MB/s of one channel by the line's round trip in ms", [(f"{round_trip}", speed) for round_trip, speed in points]))
    for block in blocks:
        print(f"\n```\n{block}\n```" if report else f"\n{block}")


def growth(figures):
    found = {}
    for word, kinds in (("agents", ("memory", "cpu", "idle")), ("channels", ("memory",))):
        for kind in kinds if word in figures else ():
            name = f"{word}_{kind}"
            value = for_twice([(one["count"], one[kind]) for one in figures[word]], LEAST[name])
            found |= {} if value is None else {name: value}
    return found


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev bench scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="agents|channels|rtt")
    parser.add_argument("--quick", action="store_true", help="up to 300 agents, 300 channels, half a second on each line")
    parser.add_argument("--report", action="store_true", help="print markdown")
    options = parser.parse_args(words)
    options.words = options.words or WORDS
    if unknown := set(options.words) - set(WORDS):
        parser.error(f"no such scale: {', '.join(sorted(unknown))}")
    options.agents, options.channels = (300, 300) if options.quick else (AGENTS[-1], CHANNELS[-1])
    options.settle, options.seconds = (3, 0.5) if options.quick else (10, 4)
    return options


def main(programs, words):
    options = parse(words)
    if "rtt" in options.words:
        space.enter()
    if space.raise_files() < space.ENOUGH_FILES and options.channels > FEW_FILES_CHANNELS and "channels" in options.words:
        options.channels = FEW_FILES_CHANNELS
        print(f"no more than {FEW_FILES_CHANNELS:,} channels: {space.ENOUGH_FILES:,} open files would be needed for more (ulimit -Hn)")
    work = {"agents": grow_agents, "channels": grow_channels, "rtt": lengthen_line}
    figures = {word: work[word](programs, options) for word in options.words}
    print(f"\n{crowd.cpu_note()}")
    tell_plots(figures, options.report)
    verdicts = [verdict for verdict in (judge(gate, {"sallyport": growth(figures)}) for gate in GATES) if verdict.value is not None]
    if verdicts:
        print("\n" + table(VERDICT_HEAD, verdict_rows(verdicts), options.report))
    return 1 if missed(verdicts) else 0
