#!/usr/bin/env python3
"""Two agents of one group; one after the other is stopped for longer than its lease and goes on afterwards, as if nothing had happened.

failover.py BIN; SALLYPORT_STOPS (2) stops. The other agent takes over. Checked against the ledgers outside of both (kill_loop.py): every job has
succeeded, no transactional effect is there twice or missing, and a command that may have begun on the stopped agent was not repeated in silence.
At least one job must have changed hands, or nothing was tried.
"""
import os
import signal
import sys
import threading
import time

from kill_loop import Postgres, World, count_effects, faults_in, outside_statuses, start_jobs, start_pair, tell, wait_for_ends

LEASE, FAILOVER = 10, 1  # seconds, the shortest that a relay takes


def set_lease(world):
    settings = world.dir / "relay/relay.yaml"
    text = settings.read_text()
    for name, seconds in (("lease", LEASE), ("failover", FAILOVER)):
        line = next(line for line in text.splitlines() if line.strip().startswith(name + ":"))
        text = text.replace(line, f"  {name}: {seconds}s")
    settings.write_text(text)


def main():
    stops = int(os.environ.get("SALLYPORT_STOPS", "2"))
    world = World(sys.argv[1], Postgres, agents=("agent", "second"))
    try:
        set_lease(world)
        start_pair(world)
        accepted, stop = {}, threading.Event()
        starter = threading.Thread(target=start_jobs, args=(world, accepted, stop))
        starter.start()
        for turn in range(stops):
            time.sleep(1.5)
            process = world.processes[world.agents[turn % 2]]
            process.send_signal(signal.SIGSTOP)
            time.sleep(LEASE + FAILOVER + 3)
            process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        stop.set()
        starter.join()
        states = wait_for_ends(world, accepted)
        moved = sum(world.read(f"/v1/jobs/{job}")["run_number"] > 1 for job in accepted.values())
        statuses = outside_statuses(world, {n: accepted[n] for n in states})
        found = faults_in(count_effects(world), states, statuses)
        print(f"{len(states)} jobs, {moved} of them changed hands; {list(statuses.values()).count('skipped')} commands were in doubt, each said so")
        found += [] if moved else ["no job changed hands: nothing was tried"]
        tell(world, found)
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
