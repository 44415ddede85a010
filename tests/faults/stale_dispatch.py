#!/usr/bin/env python3
"""A dispatch that lies in an agent's socket while the agent is stopped, and is read after the job went to another.

stale_dispatch.py BIN [--plant-fault]. The agent is stopped before its jobs are handed out, so that it has read nothing of them; its lease runs
out, a second agent does the jobs, and the first one goes on: once before the relay has noticed that its link is dead, and once when the relay
has cut the link and the dispatches still lie in the socket. It must read them, begin nothing, and be told that they are somebody else's. The
recipe lets a new holder repeat a step in doubt, so that nothing but the lease keeps the command from running twice.
--plant-fault gives the jobs away while the first agent's lease still holds, by editing the relay's database, and succeeds only if the ledger
then shows commands that ran twice.
"""
import signal
import sys
import time

from failover import give_away, set_lease
from kill_loop import RECIPE, World, count_effects, start_pair, tell, wait_for_ends

JOBS = 6
DEADLINE = 60  # seconds for each thing that is waited for
TEMPTATION = 3  # seconds in which nobody tells the agent that the jobs are not its own


def wait_until(holds, what):
    deadline = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited in vain until {what}")
        time.sleep(0.05)


def lines_of(world, name, *words):
    text = (world.dir / f"{name}.log").read_text(errors="replace")
    return [line for line in text.splitlines() if all(word in line for word in words)]


def links(world):
    """Since when the first and the second agent have been linked."""
    agents = sorted(world.read("/v1/agents")["items"], key=lambda agent: agent["enrolled_at"])
    return [agent["link"] and agent["link"]["since"] for agent in agents]


def wait_for_first_alone(world):
    """A link that has lasted: the one before may have been found dead on either side."""
    seen, since = None, time.monotonic()
    deadline = since + DEADLINE
    while not (seen and seen[0] and not seen[1] and time.monotonic() > since + 2):
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain until only the first agent is linked")
        now = links(world)
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.2)


def start_jobs(world, first):
    accepted = {}
    for n in range(first, first + JOBS):
        status, answer = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": n}})
        if status not in (200, 202):
            raise SystemExit(f"POST /v1/jobs: {status} {answer}")
        accepted[n] = answer["id"]
    return accepted


def stop_with_unread_dispatches(world, first):
    """Jobs that were sent to the first agent, which is stopped and has not read of them."""
    wait_for_first_alone(world)
    world.processes["agent"].send_signal(signal.SIGSTOP)
    accepted = start_jobs(world, first)
    wait_until(lambda: all(lines_of(world, "relay", '"job.dispatched"', job) for job in accepted.values()), "the jobs are handed out")
    return accepted


def wake(world, accepted):
    """The first agent goes on; returns when it has read the dispatches and let go of the jobs, or ended them.

    For a while the relay is stopped, so that nothing but the lease keeps the agent from running them: a word of the relay would come at once."""
    jobs = accepted.values()
    world.processes["relay"].send_signal(signal.SIGSTOP)
    world.processes["agent"].send_signal(signal.SIGCONT)
    wait_until(lambda: all(lines_of(world, "agent", '"job.accepted"', job) for job in jobs), "the dispatches are read")
    deadline = time.monotonic() + TEMPTATION
    while time.monotonic() < deadline and not all(lines_of(world, "agent", '"job.finished"', job) for job in jobs):
        time.sleep(0.05)
    world.processes["relay"].send_signal(signal.SIGCONT)
    over = ('"job.abandoned"', '"job.finished"')
    wait_until(lambda: all(any(lines_of(world, "agent", word, job) for word in over) for job in jobs), "the jobs are let go")


def round_trip(world, first, cut):
    accepted = stop_with_unread_dispatches(world, first)
    world.start("second")
    states = wait_for_ends(world, accepted)
    if cut:
        wait_until(lambda: links(world)[0] is None, "the relay has cut the link of the stopped agent")
    wake(world, accepted)
    world.kill("second")
    return states


def faults_in(world, states):
    counts = count_effects(world)
    found = [f"job {n} ended {state}" for n, state in states.items() if state != "succeeded"]
    steps = ("one", "two-0", "two-1", "two-2", "three-a", "three-b", "outside")
    return found + [f"job {n} step {step} was done {counts[n, step]} times" for n in states for step in steps if counts[n, step] != 1]


def give_away_too_early(world):
    accepted = stop_with_unread_dispatches(world, 0)
    world.start("second")
    wait_until(lambda: links(world)[1], "the second agent is linked")
    give_away(world)
    states = wait_for_ends(world, accepted)
    wake(world, accepted)
    return states


def main():
    planted = "--plant-fault" in sys.argv
    world = World(sys.argv[1], agents=("agent", "second"))
    try:
        if not planted:  # there the lease has to hold until the end
            set_lease(world)
        recipe = world.dir / "recipe.yaml"
        recipe.write_text(RECIPE.replace("on_in_doubt: skip", "on_in_doubt: retry"))
        with open(world.dir / "agent/agent.yaml", "a") as settings:  # with these jobs it is full: it gets none of them a second time
            settings.write(f"limits: {{slots: {JOBS}}}\n")
        start_pair(world, started=("agent",))
        if planted:
            found = faults_in(world, give_away_too_early(world))
            twice = [fault for fault in found if "outside was done 2 times" in fault]
            print("planted faults found:", twice)
            found = [] if twice else ["the check did not find what was planted"]
        else:
            states = round_trip(world, 0, cut=False)
            states |= round_trip(world, JOBS, cut=True)
            found = faults_in(world, states)
            print(f"{len(states)} jobs read too late by a stopped agent; {sum(count_effects(world).values())} effects")
        tell(world, found)
        return 1 if found else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
