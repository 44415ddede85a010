#!/usr/bin/env python3
"""An agent whose machine lacks PostgreSQL's client library: the step fails as a connection does, the agent's log says what to install, and once it is
there the next job connects, without a restart.

missing_library.py BIN
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import Postgres, World, start_pair  # noqa: E402


def run_job(world, n):
    job = world.call("POST", "/v1/jobs", {"recipe_name": "effects", "inputs": {"n": n}})[1]["id"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = world.call("GET", f"/v1/jobs/{job}")[1]
        if told["state"] in ("succeeded", "failed", "in_doubt", "cancelled"):
            return told
        time.sleep(0.05)
    raise SystemExit(f"the job {job} did not end")


def main():
    world = World(sys.argv[1], server=Postgres)
    try:
        broken = world.dir / "libraries"
        broken.mkdir()
        (broken / "libpq.so.5").write_text("no library")
        world.env["LD_LIBRARY_PATH"] = str(broken)
        start_pair(world)
        told = run_job(world, 1)
        assert told["state"] == "failed" and told["error"]["class"] == "connection", told
        log = (world.dir / "agent.log").read_text()
        assert "libpq5" in log and "libpq5" not in str(told), log
        (broken / "libpq.so.5").unlink()
        told = run_job(world, 2)
        assert told["state"] == "succeeded", told
    finally:
        world.close()
    print("missing_library: named in the log, and used as soon as it was there")


if __name__ == "__main__":
    main()
