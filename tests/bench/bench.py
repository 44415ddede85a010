#!/usr/bin/env python3
"""Benchmarks of whole programs: bench.py BIN [WORD [OPTIONS]]; footprint and dispatch when none is named.

tunnel     Sallyport's tunnels beside packaged ones, measured from outside in one run
agents     what linked agents cost a relay, and its handshakes beside a plain TLS server's
storm      a relay that all its agents lose at once
scale      how cost grows with agents, channels and the length of the line, with plots
history    what sealing costs the history of jobs
connectors  what connectors move beside psql, mariadb, sftp and curl; --large GB: memory
bulk       one long transfer in each direction: equal digests, flat memory
footprint  what an idle agent uses; dispatch, postgres, idle: time to a job's first step, and variants (several of these four may be named)
WORD --help tells the options. Each prints a table and what it is held to, and exits with 1 when that is missed. Figures go into docs/benchmarks.md.
"""
import signal
import sys

import agents
import bulk
import connectors
import history
import pair
import scale
import storm
import tunnel

BENCHMARKS = {"agents": agents, "bulk": bulk, "connectors": connectors, "history": history, "scale": scale, "storm": storm, "tunnel": tunnel}


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then, too
    programs, words = sys.argv[1], sys.argv[2:] or ["footprint", "dispatch"]
    if words[0] in BENCHMARKS:
        return BENCHMARKS[words[0]].main(programs, words[1:])
    unknown = [word for word in words if word not in pair.WORDS]
    if unknown:
        print(__doc__)
        raise SystemExit(0 if unknown[0] in ("help", "--help", "-h") else f"bench: no benchmark {unknown[0]}")
    return pair.main(programs, words)


if __name__ == "__main__":
    sys.exit(main())
