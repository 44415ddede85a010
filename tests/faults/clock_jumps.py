#!/usr/bin/env python3
"""The relay's clock jumps from a day back to a year ahead: no key is shredded early. When the agents' clocks agree, it is shredded on time.

clock_jumps.py BIN LIBRARY [--plant-fault]
A real relay with jobs that have ended, whose wall clock is moved (LIBRARY is preloaded), in the middle of its work with an agent linked and between two
starts. Its kernel says all the while that NTP keeps the clock so: as after a forged answer. After all of it every job is read as it was written, and nothing
was shredded. Then the agent's clock agrees with one that is past the retention: within 60 s the data is gone. That is the control: what shreds, shreds.
--plant-fault lets the agent agree with the first jump that is too far, and succeeds only if the check finds that data is gone.
"""
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import start_pair, tell  # noqa: E402
from faults.rotate_kills import POLICY, RECIPE, Jobs  # noqa: E402
from support.moved_clock import DAY, HOUR, MovedWorld  # noqa: E402

JUMPS = [-DAY, -HOUR, 40, HOUR, DAY, 14 * DAY + 2 * HOUR, 46 * DAY, 365 * DAY]
OVER = DAY + 2 * HOUR  # data of jobs is kept for a day
PAUSE = 20             # of the shredder


def stop(world):
    world.processes["relay"].send_signal(signal.SIGTERM)
    world.processes["relay"].wait(timeout=60)


def start_at(world, seconds):
    """Started with the clock moved; it has looked at its clocks, and at what is due, when this returns."""
    before = len(world.log_of_relay())
    world.move(seconds)
    world.start("relay")
    told = world.wait_for_log('"event":"relay.ready"', before)
    return told is not None and (world.wait_for_log('"event":"clock.', before, patience=5) is not None or seconds <= 0)


def jump(world, planted):
    found = []
    for number, seconds in enumerate(JUMPS):
        if not start_at(world, seconds):
            found.append(f"the relay does not start with its clock moved by {seconds} s")
        if planted and seconds >= OVER:
            shred_at(world, seconds)
            stop(world)
            break
        world.kill("relay") if number % 2 else stop(world)
    return found


def shred_at(world, seconds):
    """With an agent whose clock shows the same: whether something is shredded then."""
    before = len(world.log_of_relay())
    world.move(seconds, "agent")
    world.start("agent")
    return world.wait_for_log('"event":"keys.shredded"', before) is not None


def jump_in_the_middle(world):
    """While it runs, with an agent whose clock is right: two looks at what is due are made under the wrong clock."""
    before = len(world.log_of_relay())
    world.move(46 * DAY)  # the API token lives longer
    found = []
    if world.wait_for_log('"clock":"ahead"', before, patience=2 * PAUSE) is None:
        found.append("a jump in the middle was not told of")
    time.sleep(PAUSE + 2)
    if "sallyport_clock_agents_heard 1" not in world.metrics():
        found.append("the agent's clock is not heard")
    world.move(0)
    return found


def is_gone(world, jobs):
    return len(jobs.faults()) >= 2 * len(jobs.given)  # neither trigger nor steps of any


def main():
    world = MovedWorld(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve())
    planted = "--plant-fault" in sys.argv
    try:
        (world.dir / "agent/policy.yaml").write_text(POLICY)
        (world.dir / "agent/connections.yaml").write_text("version: 1\nconnections: {}\n")
        (world.dir / "recipe.yaml").write_text(RECIPE)
        start_pair(world)
        world.keep_for_a_day()
        jobs = Jobs(world)
        jobs.run(3)
        found = [] if planted else jump_in_the_middle(world)
        world.kill("agent")
        stop(world)
        world.trust_nobody()
        certificate = (world.dir / "relay/deployment/server.pem").read_bytes()
        found += jump(world, planted)
        start_at(world, 0)
        world.wait_ready()
        early = jobs.faults() + ["a key was shredded early"] * world.log_of_relay().count('"event":"keys.shredded"')
        if planted:
            print(f"the planted fault was found {len(early)} times" if early else "the check did not find what was planted")
            return 0 if early else 1
        found += early
        stop(world)
        (world.dir / "relay/deployment/server.pem").write_bytes(certificate)  # not the one that was renewed a year ahead
        start_at(world, OVER)
        if not shred_at(world, OVER):
            found.append("positive control: nothing was shredded on time when the agent's clock agreed")
        world.wait_ready()
        if not is_gone(world, jobs):
            found.append("positive control: what has expired is still read")
        tell(world, found)
        if not found:
            print(f"{len(JUMPS) + 1} jumps: no key shredded early; shredded when an agent's clock agreed")
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
