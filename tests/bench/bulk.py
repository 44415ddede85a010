"""./dev bench bulk: one long transfer through a tunnel in each direction, with SHA-256 at both ends and the memory of relay and agent watched.

Fails when a digest differs, when a process grows by more than two of a channel's largest windows, or when it holds more in the second half of a transfer than
in the first.
"""
import argparse
import json
import os
import subprocess
import threading
import time

import peers
import processes
import tunnel
from gates import VERDICT_HEAD, Gate, judge, missed, number, table, verdict_rows

MIB = 1 << 20
WINDOW_MIB = 16  # the largest of a channel
GATES = [Gate("TN5", f"{side}: MiB that a transfer added, {way}", f"{side}_{way}_grown", True, 2 * WINDOW_MIB)
         for way in ("up", "down") for side in ("relay", "agent")] + \
        [Gate("TN5", f"{side}: MiB more in the second half, {way}", f"{side}_{way}_late", True, 2) for way in ("up", "down") for side in ("relay", "agent")] + \
        [Gate("TN5", f"equal digests, {way}", f"{way}_equal", False, 1) for way in ("up", "down")]


class Watch:
    """Resident memory of processes by name, in MiB, several times a second until it is closed."""

    def __init__(self, pids):
        self.pids = pids
        self.samples = {name: [] for name in pids}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(0.25):
            for name, pid in self.pids.items():
                self.samples[name].append(processes.memory([pid]).get("Rss", 0) / 1024)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def judged_memory(samples, before):
    """How much a process had more at its most than before, and how much more in the second half than in the first."""
    half = len(samples) // 2
    return {"grown": max(samples) - before, "late": max(samples[half:]) - max(samples[:half])}


def move(run, standing, way, size):
    pids = {name: standing.world.processes[name].pid for name in ("relay", "agent")}
    before = {name: processes.memory([pid])["Rss"] / 1024 for name, pid in pids.items()}
    cpu = processes.cpu_seconds(pids.values())
    with Watch(pids) as watch:
        words = [run.load, "transfer", f"127.0.0.1:{standing.entrance}", way, str(size)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120 + size / 5e6)
        time.sleep(0.5)
    if done.returncode != 0:
        raise SystemExit(f"bench: {way}: {done.stderr.strip()}")
    told = json.loads(done.stdout)
    figures = {f"{way}_equal": int(told["sent"] == told["received"]), f"{way}_MBps": size / 1e6 / told["seconds"],
               f"{way}_cpu": (processes.cpu_seconds(pids.values()) - cpu) / (size / 1e9)}
    for name in pids:
        for kind, value in judged_memory(watch.samples[name], before[name]).items():
            figures[f"{name}_{way}_{kind}"] = value
        figures[f"{name}_{way}_most"] = max(watch.samples[name])
    return figures, told["sent"]


def main(programs, words):
    parser = argparse.ArgumentParser(prog="./dev bench bulk", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, help="10^9 bytes in each direction (default 10, with --quick 2)")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true", help="print markdown")
    options = parser.parse_args(words)
    size = int((options.gb or (2 if options.quick else 10)) * 1e9)
    run = tunnel.Run(programs)
    figures, rows = {}, []
    try:
        run.target = run.serve("store")
        standing = peers.PEERS["sallyport"](run, run.target)
        run.stack.callback(standing.close)
        for way in ("up", "down"):
            told, digest = move(run, standing, way, size)
            figures |= told
            rows.append([way, f"{size / 1e9:g}", number(told[f"{way}_MBps"]), number(told[f"{way}_cpu"]), number(told[f"relay_{way}_most"]),
                         number(told[f"agent_{way}_most"]), digest[:16] + ("" if told[f"{way}_equal"] else " and another")])
            print(f"{way}: done", flush=True)
    finally:
        run.close()
    print(f"\nload {os.getloadavg()[0]:.1f}, {time.strftime('%Y-%m-%d')}\n")
    print(table(["direction", "GB", "MB/s", "CPU s/GB", "relay MiB at most", "agent MiB at most", "SHA-256 begins"], rows, options.report))
    verdicts = [judge(gate, {"sallyport": figures}) for gate in GATES]
    print("\n" + table(VERDICT_HEAD, verdict_rows(verdicts), options.report))
    return 1 if missed(verdicts) else 0
