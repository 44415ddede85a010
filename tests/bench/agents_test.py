#!/usr/bin/env python3
"""agents_test.py BIN: simulated agents are agents to a relay: they enrol, link, are given jobs, and come back to a relay that was killed."""
import signal
import subprocess
import sys

import agents
import crowd
import storm
from kill_loop import free_port
from peers import link_port, wait_port

COUNT = 3
LINKS = 2


def main():
    here = crowd.Crowd(sys.argv[1], COUNT, LINKS)
    try:
        here.link(COUNT)
        listed = here.world.read("/v1/agents")["items"]
        assert len(listed) == COUNT and all(agent["link"] for agent in listed), listed
        here.run_jobs(COUNT)
        state = here.state()
        assert state["jobs_done"] == COUNT and state["handshakes"] == COUNT * LINKS, state

        program, identity, port = here.world.bin / "bench_agents", here.world.dir / "identity", free_port()
        here.processes[0].tell(f"save {identity}")
        relay = f"127.0.0.1:{link_port(here.world)}"
        assert agents.shake(program, relay, identity, here.relay_pid(), 0.5)["handshakes_failed"] == 0
        naive = subprocess.Popen([program, "naive", f"127.0.0.1:{port}", str(identity)])
        try:
            wait_port(port, naive)
            assert agents.shake(program, f"127.0.0.1:{port}", identity, naive.pid, 0.5)["handshakes_failed"] == 0
        finally:
            naive.kill()
            naive.wait()

        figures = storm.storm(here, signal.SIGKILL)
        assert 0 < figures["back_s"] < 60 and figures["handshakes"] >= 1, figures
    finally:
        here.close()
    print(f"agents: {COUNT} simulated ones with {LINKS} links each enrolled, linked, did jobs, and came back after {figures['back_s']:.1f} s")


if __name__ == "__main__":
    main()
