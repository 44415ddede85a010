"""A network of its own for a benchmark: loopback and nothing else, TCP with cubic as Debian has it.

The network is the process's: it is gone when the last process in it has ended, however it ended. Some hosts have BBR for a default, whose pacing makes
loopback cost three times the CPU and hides what tunnels differ in.
"""
import os
import resource
import shutil
import subprocess
import sys

INSIDE = "SALLYPORT_BENCH_SPACE"
ENOUGH_FILES = 65_536
SETTINGS = ["net.ipv4.ip_local_port_range=10240 65000", "net.core.somaxconn=8192"]


def enter():
    """Starts this program again inside a new network, once; returns there."""
    if os.environ.get(INSIDE) != "1":
        if os.geteuid() != 0:
            raise SystemExit("bench: this benchmark makes a network namespace, which only root may; run it with sudo")
        os.environ[INSIDE] = "1"
        os.execv(shutil.which("unshare"), ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for route in ("127.0.0.0/8", "127.0.0.1"):
        subprocess.run(["ip", "route", "replace", "local", route, "dev", "lo", "proto", "kernel", "scope", "host", "src", "127.0.0.1",
                        "table", "local", "congctl", "cubic"], check=True)
    for setting in SETTINGS:
        subprocess.run(["sysctl", "-qw", setting], check=True)
    raise_files()


def raise_files():
    """As many open files as this process may have: ENOUGH_FILES where it may decide that itself. How many these are."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for most in (max(hard, ENOUGH_FILES), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            return most
        except (ValueError, OSError):
            continue
    return hard
