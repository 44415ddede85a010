#!/usr/bin/env python3
"""The README's tour, command by command as it stands there.

readme_tour.py BIN
Only what differs from machine to machine is put in: free ports, the enrolment string at the prompt that reads it, the id of the job. Every
command must end with 0, and what the README shows as output must come, word for word where it has no id, time or count of its own.
Positive control: the tour without its preparation of the agent's folder must fail.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support.surroundings import surroundings  # noqa: E402

DEADLINE = 60
JOB = re.compile(r"job_[0-9A-Z]{26}")
VARIES = re.compile(r"(job|agt|org)_[0-9A-Z]{26}|\d{4}-\d\d-\d\dT[\d:.]+Z|\d\d:\d\d:\d\d\.\d+|127\.0\.0\.1:\d+|spe1\S*")


def tour():
    """(command, shown output) of each prompt in the section, in order."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## Five minutes with it\n")[1].split("\n## ")[0]
    steps = []
    for block in re.findall(r"```\n(.*?)```", section, re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((re.sub(r"\s{2,}# .*$", "", line[2:]), []))
            elif steps:
                steps[-1][1].append(line)
    return steps


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Tour:
    def __init__(self, binaries):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-tour-"))
        (self.dir / "examples").symlink_to(ROOT / "examples")
        self.env = surroundings(PATH=f"{binaries}:{os.environ['PATH']}", XDG_CONFIG_HOME=str(self.dir / "config"))
        self.api, self.link = free_port(), free_port()
        self.started, self.enrolment = [], ""

    def close(self):
        for process in reversed(self.started):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        shutil.rmtree(self.dir)

    def ask(self, *words):
        done = subprocess.run(words, cwd=self.dir, env=self.env, capture_output=True, text=True)
        return json.loads(done.stdout)["items"] if done.returncode == 0 else []

    def wait_for(self, what, holds):
        until = time.monotonic() + DEADLINE
        while not holds():
            if time.monotonic() > until:
                raise SystemExit(f"readme_tour: {what} did not happen in {DEADLINE} s")
            time.sleep(0.1)

    def filled(self, command):
        command = command.replace("127.0.0.1:8443", f"127.0.0.1:{self.api}")
        if command.startswith("sallyport-relay init "):
            command += f" --api 127.0.0.1:{self.api} --link 127.0.0.1:{self.link}"
        if JOB.search(command):
            return JOB.sub(self.ask("sallyport", "jobs", "list", "-o", "json")[0]["id"], command)
        return command

    def start(self, command):
        log = open(self.dir / f"{len(self.started)}.log", "w")
        self.started.append(
            subprocess.Popen(["bash", "-c", "exec " + command.removesuffix("&")], cwd=self.dir, env=self.env, stderr=log, start_new_session=True))
        if command.startswith("sallyport-relay"):
            self.wait_for("the relay", lambda: "relay.ready" in (self.dir / "0.log").read_text())
        else:
            self.wait_for("the link", lambda: any(a.get("link") for a in self.ask("sallyport", "agent", "list", "-o", "json")))

    def run(self, command, shown):
        if command.startswith("export PATH="):
            return
        if command.startswith("sallyport jobs list"):
            self.wait_for("the job", lambda: self.ask("sallyport", "jobs", "list", "-o", "json"))
        command = self.filled(command)
        if command.endswith("&"):
            return self.start(command)
        typed = self.enrolment if command.endswith(" -") else ""
        done = subprocess.run(["bash", "-c", command], cwd=self.dir, env=self.env, input=typed, capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode != 0:
            raise RuntimeError(f"$ {command}\n{done.stdout}{done.stderr}exit code {done.returncode}")
        if "token create" in command:
            self.enrolment = next(line for line in done.stdout.splitlines() if line.startswith("spe1"))
        told = done.stdout + done.stderr
        for line in shown:
            if line.strip() and line != "..." and not VARIES.search(line) and " ".join(line.split()) not in " ".join(told.split()):
                raise RuntimeError(f"$ {command}\n{told}the README shows: {line}")


def walk(binaries, steps):
    tour_ = Tour(binaries)
    try:
        for command, shown in steps:
            tour_.run(command, shown)
    finally:
        tour_.close()


def main():
    binaries = pathlib.Path(sys.argv[1]).resolve()
    steps = tour()
    assert len(steps) > 12, "the tour was not found in README.md"
    walk(binaries, steps)
    try:
        walk(binaries, [step for step in steps if not step[0].startswith("mkdir ")])
    except RuntimeError as refusal:
        assert "missing-root" in str(refusal), refusal
    else:
        raise SystemExit("readme_tour: positive control: nobody missed the agent's folders")
    print(f"readme_tour: {len(steps)} commands, all as the README says")


if __name__ == "__main__":
    main()
