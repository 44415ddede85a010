#!/usr/bin/env python3
"""A relay is told to stop while tunnels carry bulk, through both kinds of entrance.

restart_under_bulk.py BIN
What ends within the drain time ends whole, what does not is reset and its record says why, a client that reads nothing costs no memory; the relay that comes back carries at once.
"""
import pathlib
import signal
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from root_rotation import Bulk  # noqa: E402
from tunnels import EchoServer, cli, ends, transfer, wait_for, wait_linked  # noqa: E402
from workstation import Opened, tell_to_stop  # noqa: E402
from kill_loop import World, free_port, start_pair  # noqa: E402

MOST_GROWTH = 64 << 10  # KiB of the relay's resident memory at its highest, over what it was with all of it flowing


class Deaf:
    """Sends as fast as it is let, and reads nothing."""

    def __init__(self, port):
        self.client, self.problem = socket.create_connection(("127.0.0.1", port)), None
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def send(self):
        try:
            while True:
                self.client.sendall(bytes(1 << 20))
        except OSError as problem:
            self.problem = problem

    def is_reset(self):
        self.thread.join(30)
        self.client.close()
        return isinstance(self.problem, ConnectionError)


def highest(world):
    status = pathlib.Path(f"/proc/{world.processes['relay'].pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def main():
    world, echo = World(sys.argv[1]), EchoServer()
    try:
        settings = world.dir / "relay/relay.yaml"
        settings.write_text(settings.read_text().replace("drain: 5s", "drain: 3s"))
        with open(world.dir / "agent/policy.yaml", "a") as policy:
            policy.write(f'tunnels:\n  - {{target: "127.0.0.1:{echo.port}"}}\n')
        world.env["ASAN_OPTIONS"] = "quarantine_size_mb=4"
        start_pair(world)
        wait_linked(world)
        listen = free_port()
        cli(world, "tunnel", "create", "bulk", "--group", "dc1", "--target", f"127.0.0.1:{echo.port}", "--listen", f"127.0.0.1:{listen}")
        opened = Opened(world, "bulk")
        entrances = (listen, opened.port)
        ending, endless, deaf = ([kind(port) for port in entrances] for kind in (Bulk, Bulk, Deaf))
        wait_for("bytes everywhere", lambda: all(bulk.bytes > 1 << 20 for bulk in ending + endless))
        before = highest(world)

        tell_to_stop(world)
        assert all(bulk.end() for bulk in ending), [bulk.problem for bulk in ending]
        grown = highest(world) - before
        assert all(one.is_reset() for one in deaf), [one.problem for one in deaf]
        assert not any(bulk.end() for bulk in endless)
        assert all("reset" in bulk.problem or "pipe" in bulk.problem for bulk in endless), [bulk.problem for bulk in endless]
        assert world.processes["relay"].wait(timeout=30) == 0
        assert grown < MOST_GROWTH, grown

        world.start("relay")
        world.wait_ready()
        wait_linked(world)
        assert sorted(ends(world, "bulk", 6)) == ["finished"] * 2 + ["relay_stopped"] * 4, ends(world, "bulk", 6)
        for port in entrances:
            sent, got = transfer(port, 8 << 20)
            assert sent == got
        code, err = opened.end(signal.SIGINT)
        assert code == 0 and "the relay is back" in err, (code, err)
    finally:
        world.close()
    print(f"restart under bulk: {sum(bulk.bytes for bulk in ending) >> 20} MiB ended whole, four connections cut with the reason; the relay grew by {grown} KiB")


if __name__ == "__main__":
    main()
