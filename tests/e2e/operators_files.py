#!/usr/bin/env python3
"""What the agent refuses to start with, and that it says how to repair it.

operators_files.py BIN
Whoever can write the agent's configuration decides what it does: every command of the agent refuses files and a folder that others may write to.
Each refusal names the command that repairs it; the test runs that very command, and then the configuration is good.
A connection to PostgreSQL needs a client library, which `config check` misses where it is not there.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support.surroundings import surroundings  # noqa: E402

NOBODY = 65534
COMMANDS = (["config", "check"], ["enrol", "spe1.none"], ["run"])


def agent(binaries, config, *words, **variables):
    return subprocess.run([binaries / "sallyport-agent", *words, "--config", config], env=surroundings(**variables), capture_output=True, text=True, timeout=60)


def refused_and_repaired(binaries, config, spoiled):
    for words in COMMANDS:
        done = agent(binaries, config, *words)
        assert done.returncode == 1, f"{spoiled}: {words} ended with {done.returncode}"
        assert str(spoiled) in done.stderr, f"{spoiled}: {words} said {done.stderr}"
    repair = re.search(r"run: (.*) \[", done.stderr)[1]
    subprocess.run(repair.split(), check=True)
    assert agent(binaries, config, "config", "check").returncode == 0, f"{repair} did not repair {spoiled}"


def misses_a_library(binaries, config):
    connections = config / "connections.yaml"
    before = connections.read_text()
    connections.write_text(before + "  server: {kind: sql, driver: postgres, host: 127.0.0.1, database: erp, user: sallyport}\n")
    assert agent(binaries, config, "config", "check").returncode == 0
    broken = config / "libraries"
    broken.mkdir()
    (broken / "libpq.so.5").write_text("no library")
    done = agent(binaries, config, "config", "check", LD_LIBRARY_PATH=str(broken))
    assert done.returncode == 1 and 'the connection "server"' in done.stderr and "libpq5" in done.stderr, done.stderr
    connections.write_text(before)
    assert agent(binaries, config, "config", "check", LD_LIBRARY_PATH=str(broken)).returncode == 0, "the library is nothing to an agent without PostgreSQL"


def main():
    binaries = pathlib.Path(sys.argv[1]).resolve()
    world = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-files-"))
    try:
        config = world / "agent"
        shutil.copytree(ROOT / "examples/orders-to-erp/agent", config)
        subprocess.run(["chmod", "-R", "go-w", config], check=True)
        (config / "share").mkdir()
        assert agent(binaries, config, "config", "check").returncode == 0
        misses_a_library(binaries, config)
        spoilt = [config / name for name in ("agent.yaml", "connections.yaml", "policy.yaml")] + [config]
        for path in spoilt:
            for more in (0o020, 0o002):
                path.chmod(path.stat().st_mode | more)
                refused_and_repaired(binaries, config, path)
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
                refused_and_repaired(binaries, config, path)
    finally:
        shutil.rmtree(world)
    print("operators_files: refused, and repaired as told; a missing library is missed")


if __name__ == "__main__":
    main()
