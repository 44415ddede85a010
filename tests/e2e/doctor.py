#!/usr/bin/env python3
"""What an operator learns on the agent's host: `sallyport-agent status` and `doctor`.

doctor.py BIN
Each answers with words, JSON and an exit code: while the agent runs, after it was stopped and killed, without its identity, with faults in connections, commands and targets, with a relay that is gone and with one behind a
network that drops every packet (a network namespace; only root can make one).
"""
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import World, free_port, start_pair  # noqa: E402


def ask(world, *words, inside=()):
    done = subprocess.run([*inside, world.bin / "sallyport-agent", *words, "--config", world.dir / "agent"], env=world.env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def findings(world, good, inside=()):
    """What the doctor found, by check; the words and the JSON tell the same."""
    code, told, _ = ask(world, "doctor", "--json", inside=inside)
    report = json.loads(told)
    assert code == (0 if good else 1) and report["healthy"] == good, (code, report)
    checks = {}
    for finding in report["findings"]:
        checks.setdefault(finding["check"], []).append(finding)
    return checks, report.get("request", "")


def verdicts(checks, check):
    return [finding["verdict"] for finding in checks[check]]


def running(world):
    deadline = time.monotonic() + 30
    while ask(world, "status")[0] != 0:
        assert time.monotonic() < deadline, "the agent did not link"
        time.sleep(0.05)
    code, told, _ = ask(world, "status")
    assert code == 0 and "link         ready" in told, (code, told)
    code, told, _ = ask(world, "status", "--json")
    status = json.loads(told)
    assert code == 0 and status["link"]["state"] == status["links"][0]["state"] == "ready" and status["links"][0]["jobs"] and status["process"] == world.processes["agent"].pid, status
    checks, request = findings(world, good=True)
    assert all(verdict == "good" for check in checks for verdict in verdicts(checks, check)), checks
    assert "runs here is linked" in checks["link"][0]["text"] and not request, checks
    code, told, _ = ask(world, "doctor")
    assert code == 0 and "Nothing is in the agent's way." in told, told


def killed_and_gone(world):
    world.kill("agent")
    code, told, problem = ask(world, "status")
    assert code == 3 and "no agent runs on" in problem and not told, (code, told, problem)
    checks, _ = findings(world, good=True)
    assert "takes this agent's link" in checks["link"][0]["text"] and verdicts(checks, "clock") == ["good"], checks
    world.kill("relay")
    checks, request = findings(world, good=False)
    assert verdicts(checks, "route") == ["bad"] and verdicts(checks, "link") == ["skipped"], checks
    assert request.startswith("Please allow outgoing TCP from "), request


def faulty_systems(world):
    policy, ledger, append = world.dir / "agent/policy.yaml", world.dir / "effects.db", world.dir / "append"
    before = policy.read_text()
    policy.write_text(before + f'tunnels:\n  - {{target: "127.0.0.1:{free_port()}"}}\n'
                      'secrets:\n  absent: {value_system_key: nosuch, actions: [sql.*]}\n  here: {value_env: PATH, actions: [sql.*]}\n  shell: {value_env: SALLYPORT_TEST_ABSENT, actions: [sql.*]}\n')
    append.chmod(0o644)
    ledger.rename(world.dir / "elsewhere.db")
    checks, _ = findings(world, good=False)
    assert verdicts(checks, "connection") == ["bad", "good"] and verdicts(checks, "command") == ["bad"], checks
    assert verdicts(checks, "tunnel") == ["note"], checks
    assert verdicts(checks, "secret") == ["bad", "good", "note"] and "system-keys set nosuch --group GROUP" in checks["secret"][0]["text"], checks
    (world.dir / "elsewhere.db").rename(ledger)
    code, told, _ = ask(world, "config", "check")
    assert code == 0 and "the secret absent: " in told and "system-keys set nosuch --group GROUP" in told and "shell" not in told, (code, told)
    append.chmod(0o755)
    policy.write_text(before + "nonsense: 1\n")
    checks, _ = findings(world, good=False)
    assert list(checks) == ["configuration"] and "nonsense" in checks["configuration"][0]["text"], checks
    policy.write_text(before)


def dropped_packets(world):
    if os.geteuid() != 0:
        return print("doctor: not root, so no network that drops packets")
    agent = world.dir / "agent/agent.yaml"
    before = agent.read_text()
    space = f"sallyport-doctor-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", space], check=True)
    try:
        for line in ("link add nowhere type veth peer name void", "addr add 10.99.0.1/24 dev nowhere", "link set nowhere up", "link set void up",
                     "neigh add 10.99.0.2 lladdr 02:00:00:00:00:01 dev nowhere"):
            subprocess.run(["ip", "-n", space, *line.split()], check=True)
        agent.write_text(before + 'relay: "10.99.0.2:8444"\n')
        checks, request = findings(world, good=False, inside=("ip", "netns", "exec", space))
        assert "packets are dropped on the way" in checks["route"][0]["text"] and verdicts(checks, "route") == ["bad"], checks
        assert "(10.99.0.1) to 10.99.0.2, port 8444" in request, request
    finally:
        agent.write_text(before)
        subprocess.run(["ip", "netns", "del", space], check=True)


def without_identity(world):
    (world.dir / "agent/state/identity").unlink()
    checks, _ = findings(world, good=False)
    assert verdicts(checks, "identity") == ["bad"] and "enrol" in checks["identity"][0]["advice"], checks
    code, told, problem = ask(world, "doctor", "--nonsense")
    assert code == 2 and "unknown option" in problem, (code, problem)


def main():
    world = World(sys.argv[1])
    try:
        start_pair(world)
        running(world)
        killed_and_gone(world)
        faulty_systems(world)
        dropped_packets(world)
        without_identity(world)
    finally:
        world.close()
    print("doctor: each fault named, status told")


if __name__ == "__main__":
    main()
