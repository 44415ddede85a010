"""history: what sealing costs the history: the same step records, sealed and in clear, in turns."""
import argparse
import pathlib
import re
import subprocess
import tempfile


def main(programs, words):
    options = argparse.ArgumentParser(prog="bench history", description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="sallyport-bench-") as folder:
        told = subprocess.run([str(pathlib.Path(programs) / "bench_history"), folder, str(chosen.rounds)], check=True, capture_output=True, text=True, timeout=600).stdout
    print(told, end="")
    ratio = float(re.search(r"median ratio ([\d.]+)", told)[1])
    rates = sorted(int(row.split("|")[2]) for row in told.splitlines() if re.match(r"\| \d", row))
    faults = [f"sealed writes reach {ratio} of clear ones (0.60)"] if ratio < 0.6 else []
    if rates[len(rates) // 2] < 5_000:
        faults.append(f"{rates[len(rates) // 2]} sealed records/s (5,000)")
    print("\n".join(faults) if faults else f"held: ratio {ratio}, {rates[len(rates) // 2]} sealed records/s")
    return 1 if faults else 0
