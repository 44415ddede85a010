#!/usr/bin/env python3
"""The disk is full when data expires: it is shredded on time all the same, from space that was held back, and everything goes on when there is room.

full_disk.py BIN LIBRARY [--plant-fault]; the relay's data lies on a small file system of its own (tmpfs), so it needs a mount namespace: 77 without.
A real relay with jobs that have ended; the file system is filled to the last page: people read on, and what would change something is refused with 503. Then the clock passes the retention, as that of an agent has (LIBRARY is preloaded).
It is killed there, too, and must start again.
--plant-fault takes away what was held back, too: then nothing may be shredded, the log must say why, and it must happen by itself once there is room; and killed there it must not start before there is.
"""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.clock_jumps import OVER, is_gone  # noqa: E402
from faults.kill_loop import start_pair, tell  # noqa: E402
from faults.rotate_kills import POLICY, RECIPE, Jobs, ledger_faults  # noqa: E402
from support.moved_clock import MovedWorld  # noqa: E402

SIZE = "64m"
INSIDE = "SALLYPORT_FULL_DISK_INSIDE"


def enter_namespace():
    if os.environ.get(INSIDE):
        return
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*words, "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False).returncode != 0:
        print("full_disk: no mounts can be made here")
        sys.exit(77)
    os.environ[INSIDE] = "1"
    os.execv(shutil.which("unshare"), [*words, sys.executable, *sys.argv])


def put_on_small_disk(world):
    data, aside = world.dir / "relay", world.dir / "aside"
    data.rename(aside)
    data.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "none", data], check=True)
    subprocess.run(["cp", "-a", f"{aside}/.", data], check=True)


def fill(world):
    filler = world.dir / "relay/filler"
    with open(filler, "wb", buffering=0) as file:
        fill_up(file)
    return filler


def fill_up(file):
    try:
        while True:
            file.write(b"x" * 4096)
    except OSError:
        pass


def ballasts(world):
    return [path.name for path in (world.dir / "relay").rglob("*.ballast")]


def answers(world, order):
    """What people are told: reading goes on, nothing is changed, and what cannot be done anyway is refused as ever."""
    expected = (("GET", "/v1/jobs", None, 200), ("GET", "/v1/audit-events", None, 200), ("GET", "/livez", None, 200), ("POST", "/v1/groups", order, 503),
                ("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"value": "x"}}, 503), ("PUT", "/v1/retention", {"payload": "24h", "logs": "24h"}, 503),
                ("POST", "/v1/recipes/rcp_01J9Z3ZZZZZZZZZZZZZZZZZZZZ/deactivate", {}, 404))
    found = []
    for method, path, body, status in expected:
        told, answer = world.call(method, path, body)
        if told != status or (status == 503 and "free disk space" not in answer["detail"]):
            found.append(f"{method} {path} on a full disk: {told} {answer}")
    return found


def restart_on_full_disk(world):
    """Killed, and whatever that made free is taken by somebody else: whether it starts. What it says when it does not."""
    world.kill("relay")
    filler = world.dir / "relay/filler"
    with open(filler, "ab", buffering=0) as file:
        fill_up(file)
    before = len(world.log_of_relay())
    world.start("relay")
    started = world.wait_for_log('"event":"relay.ready"', before) is not None
    return started, world.log_of_relay()[before:]


def main():
    enter_namespace()
    planted = "--plant-fault" in sys.argv
    world = MovedWorld(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve())
    try:
        put_on_small_disk(world)
        (world.dir / "agent/policy.yaml").write_text(POLICY)
        (world.dir / "agent/connections.yaml").write_text("version: 1\nconnections: {}\n")
        (world.dir / "recipe.yaml").write_text(RECIPE)
        start_pair(world)
        world.keep_for_a_day()
        jobs = Jobs(world)
        jobs.run(5)
        world.kill("agent")
        world.move(OVER, "agent")  # its clock is there already
        world.start("agent")
        found = jobs.faults()
        if len(ballasts(world)) != 2:
            found.append(f"no space is held back: {ballasts(world)}")
        if planted:
            for path in (world.dir / "relay").rglob("*.ballast"):
                path.unlink()
        filler = fill(world)
        found += answers(world, {"name": "later"})
        if not planted:
            started, said = restart_on_full_disk(world)
            found += [] if started and len(ballasts(world)) == 2 else [f"killed on a full disk it does not start, with {ballasts(world)}: {said[-500:]}"]
        world.trust_nobody()
        before = len(world.log_of_relay())
        world.move(OVER)
        if world.wait_for_log('"event":"keys.not_shredded"' if planted else '"event":"keys.shredded"', before) is None:
            found.append("the full disk was not noticed" if planted else "nothing was shredded on time")
        if '"event":"disk.full"' not in world.log_of_relay():
            found.append("a full disk is not told of")
        if is_gone(world, jobs) == planted:
            found.append("data is gone though nothing could be written" if planted else "what has expired is still read")
        filler.unlink()
        if planted and world.wait_for_log('"event":"keys.shredded"', before) is None:
            found.append("it did not go on by itself when there was room")
        if world.wait_for_log('"event":"disk.has_room"', before) is None or len(ballasts(world)) != 2:
            found.append(f"space is not held back again: {ballasts(world)}")
        status, answer = world.call("POST", "/v1/groups", {"name": "later"})
        found += [] if status == 201 else [f"an order that a full disk refused left something, or is refused still: {answer}"]
        status, answer = world.call("POST", "/v1/keys/rotate", {})
        found += [] if status == 200 else [f"keys cannot be rotated when there is room again: {answer}"]
        if planted:
            for path in (world.dir / "relay").rglob("*.ballast"):
                path.unlink()
            fill(world)
            started, said = restart_on_full_disk(world)
            found += [] if not started and "free disk space" in said else [f"without what was held back it starts ({started}), or does not say what is wrong: {said[-500:]}"]
            filler.unlink()
            world.start("relay")
            world.wait_ready()
        found += ledger_faults(world)
        tell(world, found)
        if not found:
            print("nothing shredded without space, told of, and shredded when there was room" if planted else
                  "shredded on time on a full disk, and everything went on when there was room")
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
