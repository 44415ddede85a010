"""A network namespace with one wire out of it, for agents that live elsewhere. Needs root."""
import json
import os
import pathlib
import subprocess
import sys


def ip(*words):
    return subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, timeout=30)


class Cell:
    """The relay's machine is at the other end of the wire, at `relay` and `relay6`; there is no way to anywhere else."""

    NOBODY = "02:00:00:00:00:01"  # an address on the wire that nobody has

    def __init__(self):
        tag = os.getpid() % 60000
        self.name = f"sp{tag}"
        self.inner, self.outer = f"{self.name}b", f"{self.name}a"
        self.relay, self.inside4 = (f"10.{net}.{tag // 250}.{tag % 250 + 1}" for net in (213, 214))
        self.relay6, self.inside6 = (f"2001:db8:{net}::{tag:x}" for net in (213, 214))
        self.make("netns", "add", self.name)
        self.lay_wire()
        self.make("link", "set", self.inner, "netns", self.name)
        for step in self.end(self.outer, self.relay, self.inside4, self.relay6, self.inside6):
            self.make(*step)
        for step in (("link", "set", "lo", "up"), *self.end(self.inner, self.inside4, self.relay, self.inside6, self.relay6), ("route", "add", "blackhole", "default")):
            self.make("-n", self.name, *step)

    def lay_wire(self):
        self.make("link", "add", self.outer, "type", "veth", "peer", "name", self.inner)

    def make(self, *step):
        if (done := ip(*step)).returncode != 0:
            self.give_up(f"ip {' '.join(step)}: {done.stderr.strip()}")

    def give_up(self, why):
        self.close()
        print(f"SKIPPED: no network namespace here: {why}", flush=True)
        raise SystemExit(77)

    @staticmethod
    def end(device, here, there, here6, there6):
        return (("addr", "add", f"{here}/32", "dev", device), ("-6", "addr", "add", f"{here6}/128", "dev", device, "nodad"), ("link", "set", device, "up"),
                ("route", "add", f"{there}/32", "dev", device, "src", here), ("-6", "route", "add", f"{there6}/128", "dev", device, "src", here6))

    def inside(self, *words):
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def inside_with_hosts(self, hosts, *words):
        """With that file in the place of /etc/hosts; it may be rewritten meanwhile."""
        return self.inside("sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, *words)

    def swallow(self, address):
        """What is sent there from inside vanishes from now on."""
        assert ip("-n", self.name, "neigh", "replace", address, "lladdr", self.NOBODY, "nud", "permanent", "dev", self.inner).returncode == 0

    def restore(self, address):
        ip("-n", self.name, "neigh", "del", address, "dev", self.inner)

    def close(self):
        ip("link", "del", self.outer)
        ip("netns", "del", self.name)


class FaultyCell(Cell):
    """Its wire has bad days (wire.py)."""

    wire = None

    def lay_wire(self):
        program = pathlib.Path(__file__).with_name("wire.py")
        self.wire = subprocess.Popen([sys.executable, program, self.inner, self.outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.wire.stdout.readline() != "ready\n":
            self.give_up(self.wire.communicate()[1].strip().splitlines()[-1])

    def spoil(self, to_relay=None, to_agent=None):
        """From now on; nothing named is a good wire again."""
        print(json.dumps({"there": to_relay or {}, "back": to_agent or {}}), file=self.wire.stdin, flush=True)
        assert self.wire.stdout.readline() == "done\n", "the wire is gone"

    def reset(self):
        """Resets every TCP connection with the relay, at the agent's end."""
        subprocess.run(self.inside("ss", "-K", "dst", self.relay), capture_output=True, timeout=30)

    def close(self):
        super().close()
        if self.wire:
            self.wire.kill()
            self.wire.wait()
