#!/usr/bin/env python3
"""load_test.py BIN: what tests/bench/load measures is what is there, and a byte that changed on the way is noticed."""
import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import free_port  # noqa: E402

LOAD = pathlib.Path(sys.argv[1]) / "bench_load"
PHASES = "lat,pin,lat16,loaded,conn1,conn16,up1,down1,up8,down8"
ROUND_TRIP_MS = 40


@contextlib.contextmanager
def serving(*words):
    port = free_port()
    process = subprocess.Popen([LOAD, words[0], f"127.0.0.1:{port}", *map(str, words[1:])])
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            assert time.monotonic() < deadline, f"{words} does not listen"
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


def load(*words, stdin=None):
    done = subprocess.run([LOAD, *map(str, words)], stdin=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def measure(port, phases, seconds=0.1):
    return json.loads(load("measure", f"127.0.0.1:{port}", phases, seconds, "0"))


def damage(target):
    """A port that leads to `target` and changes the last byte of what a client sends there first."""
    listener = socket.create_server(("127.0.0.1", 0))

    def carry():
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", target)) as other:
            order = client.recv(16, socket.MSG_WAITALL)
            other.sendall(order)
            body = bytearray(client.recv(int.from_bytes(order[:8], sys.byteorder), socket.MSG_WAITALL))
            body[-1] ^= 1
            other.sendall(body)
            client.sendall(other.recv(32, socket.MSG_WAITALL))
    threading.Thread(target=carry, daemon=True).start()
    return listener.getsockname()[1]


def main():
    with serving("target") as target:
        told = measure(target, PHASES)
        assert told["failures"] == 0, told
        for phase in PHASES.split(","):
            if phase.startswith(("up", "down")):
                assert told[f"{phase}_bytes"] > 0 and told[f"{phase}_seconds"] >= 0.1, told
            else:
                assert told[f"{phase}_per_s"] > 0 and told[f"{phase}_p99"] >= told[f"{phase}_p50"] > 0, told
        with serving("line", f"127.0.0.1:{target}", ROUND_TRIP_MS) as line:
            far = measure(line, "lat", 0.4)
            assert far["failures"] == 0 and far["lat_p50"] >= ROUND_TRIP_MS * 1000, far
        assert load("hold", f"127.0.0.1:{target}", 20, stdin=subprocess.DEVNULL) == "held 20 of 20\n"
    assert load("hold", f"127.0.0.1:{free_port()}", 3, stdin=subprocess.DEVNULL) == "held 0 of 3\n"
    assert measure(free_port(), "lat,conn1,down1")["failures"] > 0

    with serving("store") as store:
        for direction in ("up", "down"):
            told = json.loads(load("transfer", f"127.0.0.1:{store}", direction, 5_000_001))
            assert told["sent"] == told["received"] and len(told["sent"]) == 64, told
        told = json.loads(load("transfer", f"127.0.0.1:{damage(store)}", "up", 1_000))
        assert told["sent"] != told["received"], told
    print("load: every phase measures, failures count, a line delays, a changed byte changes the digest")


if __name__ == "__main__":
    main()
