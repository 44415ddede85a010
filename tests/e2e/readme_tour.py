#!/usr/bin/env python3
"""The README's tour, command by command as it stands there.

readme_tour.py BIN
Only what differs from machine to machine is put in: free ports, the enrolment string at the prompt that reads it, the id of the job. Every
command must end with 0 and print the lines that the README shows, in their order and no others ("..." stands for any number of them). Ids, times,
ports and the host's name are compared by their form, the width of columns is not. The checkout is writable by its group, as under umask 002.
Positive controls: the tour without its preparation of the agent's folder must fail, and a README with a wrong column, step, value, order or line
does not agree with what was printed.
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
from support.ports import free_port  # noqa: E402
from support.surroundings import surroundings  # noqa: E402

DEADLINE = 60
JOB = re.compile(r"job_[0-9A-Z]{26}")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


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
                steps[-1][1].append(re.sub(r"\s{2,}# .*$", "", line))
    return steps


def literal(text):
    return re.sub(r"(\\?\s)+", lambda _: "[ ]+", re.escape(text))


def pattern(line, forms):
    """The regular expression of a shown line: `forms` are pairs of what varies in the README and what may be printed there."""
    if line == "...":
        return r"(?:.*\n)*?"
    text, end = "", 0
    for found in re.finditer("|".join(f"({shown})" for shown, _ in forms), line):
        text += literal(line[end : found.start()]) + forms[found.lastindex - 1][1]
        end = found.end()
    return text + literal(line[end:]) + r"[ ]*\n"


def compare(command, shown, told, forms):
    whole = ""
    for line in shown:
        whole += pattern(line, forms)
        if not re.match(whole, told):
            raise RuntimeError(f"$ {command}\n{told}not as the README shows: {line}")
    if not re.fullmatch(whole, told):
        raise RuntimeError(f"$ {command}\n{told}is more than the README shows")


class Tour:
    def __init__(self, binaries):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-tour-"))
        shutil.copytree(ROOT / "examples", self.dir / "examples")
        subprocess.run(["chmod", "-R", "g+w", self.dir / "examples"], check=True)
        self.env = surroundings(PATH=f"{binaries}:{os.environ['PATH']}", XDG_CONFIG_HOME=str(self.dir / "config"))
        self.api, self.link = free_port(), free_port()
        self.started, self.enrolment, self.printed = [], "", []

    def forms(self, command):
        kept = [rf"{kind}_[0-9A-Z]{{26}}" for kind in ("job", "agt", "org")] + [TIME]
        forms = [(form, form) for form in kept] + [
            (r"127\.0\.0\.1:8443", rf"127\.0\.0\.1:{self.api}"),
            (r"127\.0\.0\.1:8444", rf"127\.0\.0\.1:{self.link}"),
            (r"/home/you/\.config", re.escape(str(self.dir / "config"))),
            (r"spe1\.{4}", r"spe1\S+"),
            (r"\bvm\b", re.escape(socket.gethostname())),
        ]
        if command.startswith("sallyport jobs list"):  # the job may have ended by now
            forms += [("running", "(?:running|succeeded)"), (r"(?<=Z) +-", rf"[ ]+(?:-|{TIME})")]
        return forms

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
        terminal = open(self.dir / "terminal", "a")
        self.started.append(
            subprocess.Popen(["bash", "-c", "exec " + command.removesuffix("&")], cwd=self.dir, env=self.env, umask=0o002, stdout=terminal,
                             stderr=terminal, start_new_session=True))
        if command.startswith("sallyport-relay"):
            self.wait_for("the relay", lambda: self.quiet() and "relay.ready" in self.text("relay.log"))
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
        done = subprocess.run(["bash", "-c", command], cwd=self.dir, env=self.env, umask=0o002, input=typed, capture_output=True,
                              text=True, timeout=DEADLINE)
        if done.returncode != 0:
            raise RuntimeError(f"$ {command}\n{done.stdout}{done.stderr}exit code {done.returncode}")
        if "token create" in command:
            self.enrolment = next(line for line in done.stdout.splitlines() if line.startswith("spe1"))
        told = done.stdout + done.stderr
        self.printed.append((command, shown, told, self.forms(command)))
        compare(*self.printed[-1])

    def text(self, name):
        return (self.dir / name).read_text() if (self.dir / name).exists() else ""

    def quiet(self):
        if self.text("terminal"):
            raise RuntimeError(f"the README's background commands write into the terminal:\n{self.text('terminal')}")
        return True


def walk(binaries, steps):
    tour_ = Tour(binaries)
    try:
        for command, shown in steps:
            tour_.run(command, shown)
        tour_.quiet()
        return tour_.printed
    finally:
        tour_.close()


def without(steps, words, instead, refusal):
    """The tour with `instead` of `words` must be refused."""
    try:
        walk(sys.argv[1], [(command.replace(words, instead), shown) for command, shown in steps])
    except RuntimeError as told:
        assert refusal in str(told), told
    else:
        raise SystemExit(f"readme_tour: positive control: nobody missed {words}")


PLANTED = [  # (command, what the README would show instead)
    ("sallyport agent list", lambda shown: [shown[0].replace("LINKED SINCE", "SINCE"), *shown[1:]]),
    ("sallyport agent list", lambda shown: [shown[0], shown[1].replace("active", "linked")]),
    ("sallyport agent list", lambda shown: [shown[0], re.sub(r"\bvm\b", "dc1", shown[1])]),
    ("sallyport jobs list", lambda shown: [shown[0].replace("TRIGGER  ", "AGENT  "), *shown[1:]]),
    ("sallyport jobs list", lambda shown: [shown[0], shown[1].replace("file.watch", "manual")]),
    ("sallyport jobs watch", lambda shown: [line.replace("upsert[0]", "insert[0]") for line in shown]),
    ("sallyport jobs watch", lambda shown: [shown[1], shown[0], *shown[2:]]),
    ("sallyport jobs watch", lambda shown: shown[:2] + shown[3:]),
    ("sallyport jobs watch", lambda shown: shown[:-1]),
    ("sallyport jobs watch", lambda shown: [*shown, shown[0]]),
    ("sallyport-agent enrol", lambda shown: [shown[0].replace(":8444", ":8443"), *shown[1:]]),
    ("sallyport agent token", lambda shown: shown[1:]),
    ("sqlite3 agent/erp.db 'select", lambda shown: ["2999"]),
    ("sallyport group create", lambda shown: []),
]


def check_planted(printed):
    for number, (start, planted) in enumerate(PLANTED):
        command, shown, told, forms = next(row for row in printed if row[0].startswith(start))
        assert planted(shown) != shown, f"planted fault {number} changes nothing: {shown}"
        try:
            compare(command, planted(shown), told, forms)
        except RuntimeError:
            continue
        raise SystemExit(f"readme_tour: positive control: {planted(shown)} passed for\n{told}")


def main():
    sys.argv[1] = pathlib.Path(sys.argv[1]).resolve()
    steps = tour()
    assert len(steps) > 12, "the tour was not found in README.md"
    check_planted(walk(sys.argv[1], steps))
    without(steps, "mkdir -p agent/share/in agent/share/done", "true", "missing-root")
    without(steps, " 2> relay.log", "", "write into the terminal")
    without(steps, "chmod -R go-w agent", "true", "run: chmod go-w ")
    print(f"readme_tour: {len(steps)} commands, all as the README says")


if __name__ == "__main__":
    main()
