"""What the processes of a tunnel or a relay use, from /proc."""
import os
import pathlib


def tree(roots):
    """These processes and all that came from them."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass  # it ended meanwhile
    found = {pid for pid in roots if pid in parents}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found)


def memory(pids):
    """KiB by kind ("Rss", "Pss", "Private_Dirty"...), of all together."""
    total = {}
    for pid in pids:
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        for name, value in (line.split(":", 1) for line in lines):
            total[name] = total.get(name, 0) + int(value.split()[0])
    return total


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def pin(pids, cpus):
    """Every thread of these processes runs on these CPUs only, and what they start inherits it."""
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            try:
                os.sched_setaffinity(int(thread.name), cpus)
            except OSError:
                pass  # it ended meanwhile
