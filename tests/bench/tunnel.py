"""./dev bench tunnel: Sallyport's tunnels beside packaged ones, measured from outside in one run.

A program of ours (tests/bench/load) is both the client at each entrance and the target behind it. Peers stand side by side and are measured in turn, several
times over; figures are medians. Speeds are in decimal MB/s, CPU time is that of both halves of the tunnel.
"""
import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time

import peers
import processes
import space
from gates import VERDICT_HEAD, Gate, judge, medians, missed, number, table, verdict_rows

MANY_CHANNELS = 1000
PHASES = ["pin", "lat", "lat16", "loaded", "conn1", "conn16", "up1", "down1", "up8", "down8"]
USUAL = ["direct", "HAProxy, plain", "nginx, mutual TLS", "HAProxy, mutual TLS", "ssh -R", "ssh -L", "stunnel", "yamux", "sallyport", "sallyport open"]
FAR = ["ssh -R", "stunnel", "yamux", "sallyport"]  # over a long line

COLUMNS = [("one_MBps", "1 channel MB/s"), ("eight_MBps", "8 channels"), ("one_cpu", "CPU s/GB, 1"), ("eight_cpu", "8"),
           ("pin_p50", "1 CPU: p50 us"), ("pin_p99", "p99"), ("lat_p50", "p50 us"), ("lat_p99", "p99"), ("lat16_per_s", "64 B req/s x16"),
           ("loaded_p50", "with bulk: p50 us"), ("loaded_p99", "p99"), ("conn1_per_s", "new conn/s x1"), ("conn16_per_s", "x16"),
           ("channel_KiB", "KiB/idle channel"), ("failures", "failures")]

GATES = [
    Gate("S1", "CPU of one channel", "one_cpu", True, 0.85, 0.68, "stunnel"),
    Gate("S1", "CPU of one channel", "one_cpu", True, 1.0, 0.85, "ssh -R"),
    Gate("S1", "CPU of one channel", "one_cpu", True, None, 0.90, "nginx, mutual TLS"),
    Gate("S1", "CPU of one channel", "one_cpu", True, None, 0.35, "yamux"),
    Gate("S1", "MB/s of one channel", "one_MBps", False, 1.15, 1.5, "stunnel"),
    Gate("S1", "MB/s of one channel", "one_MBps", False, None, 1.15, "ssh -R"),
    Gate("S1", "MB/s of one channel", "one_MBps", False, None, 1.0, "nginx, mutual TLS"),
    Gate("S2", "MB/s of 8 channels", "eight_MBps", False, 1.15, 1.6, "stunnel"),
    Gate("S2", "MB/s of 8 channels", "eight_MBps", False, 1.15, 1.5, "ssh -R"),
    Gate("S2", "CPU of 8 channels over that of one", "eight_over_one", True, None, 1.0),
    Gate("S2", "channels open at once", "held", False, MANY_CHANNELS),
    Gate("S2", "failures", "failures", True, 0),
    Gate("S4", "64 B p50 on one CPU", "pin_p50", True, 6, 4.5, "direct"),
    Gate("S4", "64 B p50 on one CPU", "pin_p50", True, 0.85, 0.70, "stunnel"),
    Gate("S4", "64 B p99 with bulk", "loaded_p99", True, 0.75, None, "ssh -R"),
    Gate("S4", "64 B p99 with bulk", "loaded_p99", True, None, 2, "stunnel"),
    Gate("S5", "new connections/s x16", "conn16_per_s", False, 12, 20, "stunnel"),
    Gate("S5", "new connections/s x16", "conn16_per_s", False, 2.5, 3.5, "ssh -R"),
    Gate("S5", "new connections/s x16", "conn16_per_s", False, None, 0.33, "direct"),
    Gate("S6", "KiB per idle channel", "channel_KiB", True, 4, 1),
]
FAR_GATES = [
    Gate("S3", "MB/s of one channel", "one_MBps", False, 4, 6, "ssh -R"),
    Gate("S3", "MB/s of one channel", "one_MBps", False, 2, None, "yamux"),
    Gate("S3", "p50 with bulk over the round trip", "loaded_over_line", True, None, 1.1),
]


class Run:
    """What all tunnels of a run share: programs, certificates, a target, and the line's length."""

    def __init__(self, programs, round_trip_ms=0):
        self.bin = pathlib.Path(programs)
        self.load = self.bin / "bench_load"
        self.round_trip_ms = round_trip_ms
        self.stack = contextlib.ExitStack()
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="sallyport-bench.")))
        self.folder.chmod(0o755)
        self.keys = self.folder / "keys"
        peers.make_certificates(self.keys)
        self.target = self.serve("target")

    def serve(self, word):
        port = peers.free_port()
        process = subprocess.Popen([self.load, word, f"127.0.0.1:{port}"])
        self.stack.callback(lambda: (process.kill(), process.wait()))
        peers.wait_port(port, process)
        self.target_pids = [process.pid]
        return port

    def open(self, names):
        """The peers by name; what cannot stand here is left out and said."""
        standing = {}
        for name in names:
            try:
                standing[name] = peers.PEERS[name](self, self.target)
                self.stack.callback(standing[name].close)
                wait_for_answer(self, standing[name])
            except RuntimeError as problem:
                standing.pop(name, None)
                print(f"{name}: left out: {problem}")
        return standing

    def close(self):
        self.stack.close()


def wait_for_answer(run, tunnel):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if measure(run, tunnel, ["conn1"], 0.02).get("conn1_per_s"):
            return
    raise RuntimeError("no answer comes through it")


def measure(run, tunnel, phases, seconds):
    words = [run.load, "measure", f"127.0.0.1:{tunnel.entrance}", ",".join(phases), str(seconds), ",".join(map(str, tunnel.pids())) or "0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=len(phases) * (seconds * 2 + 45))
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


@contextlib.contextmanager
def one_cpu(run, tunnel):
    """The client, the tunnel and the target on one CPU: what the way costs, without the waking of other CPUs."""
    everywhere = os.sched_getaffinity(0)
    involved = [os.getpid(), *tunnel.pids(), *run.target_pids]
    processes.pin(involved, {min(everywhere)})
    try:
        yield
    finally:
        processes.pin(involved, everywhere)


def measure_all(run, tunnel, phases, seconds):
    figures = {}
    for phase in phases:
        with one_cpu(run, tunnel) if phase == "pin" else contextlib.nullcontext():
            told = measure(run, tunnel, [phase], seconds)
        figures["failures"] = figures.get("failures", 0) + told.pop("failures")
        figures.update(told)
        time.sleep(0.1)
    return derived(run, tunnel, figures)


def derived(run, tunnel, figures):
    for name, parts in {"one": ("up1", "down1"), "eight": ("up8", "down8")}.items():
        if all(f"{part}_bytes" in figures for part in parts):
            bytes_moved, seconds, cpu = (sum(figures[f"{part}_{kind}"] for part in parts) for kind in ("bytes", "seconds", "cpu_s"))
            figures[f"{name}_MBps"] = bytes_moved / 1e6 / seconds
            if tunnel.pids() and bytes_moved:
                figures[f"{name}_cpu"] = cpu / (bytes_moved / 1e9)
    if "one_cpu" in figures and "eight_cpu" in figures:
        figures["eight_over_one"] = figures["eight_cpu"] / figures["one_cpu"]
    if run.round_trip_ms and "loaded_p50" in figures:
        figures["loaded_over_line"] = figures["loaded_p50"] / 1000 / run.round_trip_ms
    return figures


@contextlib.contextmanager
def open_channels(run, tunnel, count):
    client = subprocess.Popen([run.load, "hold", f"127.0.0.1:{tunnel.wide_entrance}", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield int(client.stdout.readline().split()[1])
    finally:
        client.stdin.close()
        client.wait(60)


def hold(run, tunnel, count):
    """Memory of channels that were used once and are idle, by what nine tenths of them add to the first tenth: of fresh processes, where nothing else comes and goes."""
    count = min(count, tunnel.most_channels)

    def resident():
        time.sleep(2)
        return processes.memory(tunnel.wide_pids()).get("Pss", 0)

    with open_channels(run, tunnel, count // 10) as first:
        before = resident()
        with open_channels(run, tunnel, count - count // 10) as rest:
            grown = resident() - before
    print(f"{tunnel.name}: held {first + rest} of {count} channels", flush=True)
    figures = {"failures": count - first - rest} | ({"held": first + rest} if count >= MANY_CHANNELS else {})
    return figures | ({"channel_KiB": grown / rest} if tunnel.pids() and rest else {})


def turns(names, number):
    """The same in another order each time, so that nobody is always measured after the same one."""
    at = number % len(names)
    return names[at:] + names[:at]


def rounds(run, standing, options):
    figures = {name: [] for name in standing}
    for number_of_round in range(options.runs):
        for name in turns(list(standing), number_of_round):
            print(f"round {number_of_round + 1} of {options.runs}: {name}", flush=True)
            figures[name].append(measure_all(run, standing[name], options.phases, options.seconds))
    return {name: medians(runs) | {"failures": sum(one.get("failures", 0) for one in runs)} for name, runs in figures.items()}


def tell(options, figures):
    columns = [(key, title) for key, title in COLUMNS if any(key in one for one in figures.values())]
    rows = [[name, *(number(one.get(key)) for key, _ in columns)] for name, one in figures.items()]
    print(f"\n{heading(options)}\n")
    print(table(["tunnel", *(title for _, title in columns)], rows, options.report))
    verdicts = [judge(gate, figures) for gate in (FAR_GATES if options.rtt else GATES)]
    shown = verdicts if options.whole else [verdict for verdict in verdicts if verdict.value is not None]
    print("\n" + table(VERDICT_HEAD, verdict_rows(shown), options.report))
    return verdicts


def heading(options):
    line = f", a line of {options.rtt:g} ms between the halves" if options.rtt else ""
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return (f"{options.runs} rounds of {options.seconds:g} s a phase, medians{line}; {os.cpu_count()} CPUs, load {load} at the end, "
            f"{time.strftime('%Y-%m-%d')}")


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev bench tunnel", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: shows that all stand, its figures mean little")
    parser.add_argument("--rtt", type=float, default=0, metavar="MS", help="put a line of this round trip between the halves of each tunnel, and judge S3")
    parser.add_argument("--peers", default="", help=f"comma-separated, of: {'; '.join(peers.PEERS)} (default: all)")
    parser.add_argument("--only", default="", help=f"comma-separated phases, of: {' '.join(PHASES)} hold")
    parser.add_argument("--report", action="store_true", help="print markdown")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args(words)
    options.phases = [word for word in options.only.split(",") if word] or (["loaded", "up1", "down1"] if options.rtt else [*PHASES, "hold"])
    options.whole = not (options.quick or options.peers or options.only)
    options.hold = (100 if options.quick else MANY_CHANNELS) if "hold" in options.phases else 0
    options.phases = [phase for phase in options.phases if phase != "hold"]
    unknown = set(options.phases) - set(PHASES)
    options.names = chosen(options.peers) or (FAR if options.rtt else USUAL)
    if unknown:
        parser.error(f"no phase {', '.join(sorted(unknown))}")
    options.runs = options.runs or (1 if options.quick else 3)
    options.seconds = options.seconds or (0.4 if options.quick else 4.0 if options.rtt else 1.6)
    return options


def chosen(text):
    """Names of peers: each word stands for those that begin with it."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not any(name.startswith(word) for name in peers.PEERS):
            raise SystemExit(f"bench: no peer {word}; there are: {'; '.join(peers.PEERS)}")
    return [name for name in peers.PEERS if any(name.startswith(word) for word in words)]


def main(programs, words):
    options = parse(words)
    space.enter()
    for name, package in peers.missing(options.names).items():
        print(f"{name}: left out, because {package} is not installed")
        options.names = [one for one in options.names if one != name]
    run = Run(programs, options.rtt)
    try:
        standing = run.open(options.names)
        if not standing:
            raise SystemExit("bench: no tunnel stands")
        held = {name: hold(run, one, options.hold) if options.hold else {} for name, one in standing.items()}
        figures = rounds(run, standing, options)
    finally:
        run.close()
    for name, one in held.items():
        figures[name] = one | figures[name] | {"failures": figures[name].get("failures", 0) + one.get("failures", 0)}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1))
    verdicts = tell(options, figures)
    return 1 if missed(verdicts, options.whole) else 0
