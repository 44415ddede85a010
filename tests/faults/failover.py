#!/usr/bin/env python3
"""Two agents of one group; one after the other is stopped for longer than its lease and goes on afterwards, as if nothing had happened.

failover.py BIN [--plant-fault]; SALLYPORT_STOPS (2) stops. The other agent takes over. Checked against the ledgers outside of both (kill_loop.py): every job has
succeeded, no transactional effect is there twice or missing, and a command that may have begun on the stopped agent was not repeated in silence.
At least one job must have changed hands, or nothing was tried.
--plant-fault lets the relay give the jobs of the stopped agent away while their leases still hold, by editing its database, and succeeds only if
the ledgers then show an effect twice.
"""
import os
import signal
import sqlite3
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


def give_away(world):
    """What the relay must never do: the jobs that are held are queued again at once, under a new epoch, as if nobody had begun them."""
    with sqlite3.connect(world.dir / "relay/relay.db", timeout=30) as store:
        store.execute("insert into queue_lengths (org, group_id, queued) select org, group_id, count(*) from jobs "
                      "where state in ('dispatched', 'running') group by org, group_id "
                      "on conflict (org, group_id) do update set queued = queued + excluded.queued")
        return store.execute("update jobs set state = 'queued', lease_epoch = lease_epoch + 1, agent = null, lease_until = null, "
                             "dispatched_at = null where state in ('dispatched', 'running')").rowcount


def plant(world):
    """Stops an agent in the middle of jobs and gives them away, until one was among them that had a command before it."""
    taken = 0
    agent, relay = world.processes[world.agents[0]], world.processes["relay"]
    for _ in range(20):
        agent.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        taken += give_away(world)
        time.sleep(1)
        relay.send_signal(signal.SIGSTOP)  # or it would fence the agent at its first report
        agent.send_signal(signal.SIGCONT)
        time.sleep(1)
        relay.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        if any(times > 1 for times in count_effects(world).values()):
            break
    return taken


def main():
    planted = "--plant-fault" in sys.argv
    stops = int(os.environ.get("SALLYPORT_STOPS", "2"))
    world = World(sys.argv[1], Postgres, agents=("agent", "second"))
    try:
        set_lease(world)
        start_pair(world)
        accepted, stop = {}, threading.Event()
        starter = threading.Thread(target=start_jobs, args=(world, accepted, stop))
        starter.start()
        if planted:
            print(f"{plant(world)} jobs given away under leases that held", flush=True)
        for turn in range(0 if planted else stops):
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
        if planted:
            twice = [fault for fault in found if "ran 2 times" in fault or "left 2 rows" in fault]
            print("planted faults found:", twice[:5])
            found = [] if twice else ["the check did not find what was planted"]
        found += [] if moved or planted else ["no job changed hands: nothing was tried"]
        tell(world, found)
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
