#!/usr/bin/env python3
"""What a relay says when a key, a database or a passphrase is not what it should be: what happened, where, and what to do. It opens nothing and changes nothing.

bad_keys.py BIN
A relay with jobs that have ended, and a second deployment beside it. Each fault is planted in a copy of its data directory, then the real program is started:
it must refuse within seconds and say the words of the table, or, where one field alone is spoilt, serve everything else and say what is wrong with that one. Keys, anchor
and settings are the same afterwards, byte by byte. Positive control: the copy that nothing was done to starts, and every job is read.
"""
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World, start_pair  # noqa: E402
from faults.rotate_kills import POLICY, RECIPE, Jobs  # noqa: E402

PASSPHRASE = "correct horse"


def cut(name, keep):
    def spoil(data, _):
        size = (data / name).stat().st_size
        os.truncate(data / name, int(size * keep))
    return spoil


def remove(name):
    return lambda data, _: (data / name).unlink()


def foreign(*names):
    def spoil(data, other):
        for name in names:
            shutil.copy2(other / name, data / name)
    return spoil


def behind_link(name):
    def spoil(data, _):
        (data / name).rename(data / "elsewhere")
        (data / name).symlink_to(data / "elsewhere")
    return spoil


def flip(name, at):
    def spoil(data, _):
        with open(data / name, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))
    return spoil


def mode(name, bits):
    return lambda data, _: (data / name).chmod(bits)


def protected(text):
    """The master key under a passphrase, and the file that relay.yaml names says `text`; nothing: there is none."""
    def spoil(data, other):
        file = data / "passphrase"
        file.touch(0o600)
        file.write_text(PASSPHRASE + "\n")
        done = subprocess.run([spoil.relay, "keys", "protect", "--data", data, "--passphrase-file", file], capture_output=True, text=True, check=True)
        (data / "relay.yaml").write_text((data / "relay.yaml").read_text() + done.stdout.split("relay.yaml:\n", 1)[1])
        file.unlink() if text is None else file.write_text(text + "\n")
    return spoil


# name, what is done to the data directory, words that the refusal must have
REFUSED = [
    ("keys.db cut short", cut("keys/keys.db", 0.5), ["keys.db", "damaged", "keys restore"]),
    ("keys.db empty", cut("keys/keys.db", 0), ["keys.db", "empty", "put it back", "keys restore"]),
    ("keys.db gone", remove("keys/keys.db"), ["keys.db", "put it back", "keys restore"]),
    ("keys.db of another deployment", foreign("keys/keys.db"), ["anchor"]),
    ("keys.db and anchor of another deployment", foreign("keys/keys.db", "keys/anchor"), ["global/1", "was not wrapped by the master key", "belongs to keys.db"]),
    ("anchor of another deployment", foreign("keys/anchor"), ["keys/anchor", "another deployment", "Put back"]),
    ("anchor gone", remove("keys/anchor"), ["keys/anchor", "No such file", "put the anchor back", "keys restore"]),
    ("anchor cut short", cut("keys/anchor", 0.5), ["keys/anchor", "Put both back", "keys restore"]),
    ("anchor torn", flip("keys/anchor", 30), ["keys/anchor", "damaged"]),
    ("master key of another deployment", foreign("keys/master.key"), ["global/1", "was not wrapped by the master key", "belongs to keys.db", "keys rewrap"]),
    ("keys/ gone", lambda data, _: shutil.rmtree(data / "keys"), ["/keys", "folder of keys is missing", "put it back"]),
    ("master key behind a link", behind_link("keys/master.key"), ["keys/master.key", "symbolic link"]),
    ("master key gone", remove("keys/master.key"), ["keys/master.key"]),
    ("master key cut short", cut("keys/master.key", 0.5), ["keys/master.key"]),
    ("keys/ of another deployment", foreign("keys/keys.db", "keys/anchor", "keys/master.key"), ["is not in keys.db", "put back"]),
    ("relay.db of another deployment", foreign("relay.db"), ["is not in keys.db", "put back"]),
    ("relay.db cut short", cut("relay.db", 0.5), ["relay.db"]),
    ("relay.db gone", remove("relay.db"), ["relay.db", "restore"]),
    ("wrong passphrase", protected("wrong horse"), ["passphrase"]),
    ("no passphrase's file", protected(None), ["passphrase"]),
    ("master key that others read", mode("keys/master.key", 0o644), ["chmod 600", "master.key"]),
    ("keys.db that others read", mode("keys/keys.db", 0o644), ["chmod 600", "keys.db"]),
    ("backups that others read", mode("keys/backups", 0o755), ["chmod 700", "backups"]),
]


def rows_of(database):
    """What a database says, with its log: as text, from a copy. None: there is none, or it cannot be read."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (database.name, database.name + "-wal"):
            if (database.parent / name).exists():
                shutil.copy(database.parent / name, folder)
        if not (pathlib.Path(folder) / database.name).exists():
            return None
        copy = sqlite3.connect(pathlib.Path(folder) / database.name)
        try:
            return "\n".join(copy.iterdump())
        except sqlite3.DatabaseError:
            return None
        finally:
            copy.close()


def contents(data):
    """What keys.db says, and every file but databases, which take in their logs when they are opened, and the log of the relay itself."""
    passing = ("relay.lock", "clock", "clock.new")
    return {"rows of keys.db": rows_of(data / "keys/keys.db")} | {path.relative_to(data): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file() and path.name not in passing
            and not path.name.endswith((".db", "-wal", "-shm", ".ballast", ".jsonl"))}


def stop(world):
    world.processes["relay"].send_signal(signal.SIGTERM)
    world.processes["relay"].wait(timeout=60)


def refusal_faults(world, kept, other, row):
    name, spoil, words = row
    data = world.dir / "relay"
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    spoil.relay = world.bin / "sallyport-relay"
    spoil(data, other)
    before = contents(data)
    try:
        done = subprocess.run([world.bin / "sallyport-relay", "serve", "--data", data], env=world.env, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return [f"{name}: the relay does not refuse"]
    said = " ".join(line for line in done.stderr.splitlines() if line.startswith("sallyport-relay: ") or not line.startswith("{"))
    found = [f"{name}: '{word}' is not in: {said}" for word in words if word not in said]
    if done.returncode not in (1, 2):
        found.append(f"{name}: ended with {done.returncode}: {said}")
    if PASSPHRASE in done.stderr or "wrong horse" in done.stderr:
        found.append(f"{name}: the passphrase is told")
    return found + [f"{name}: {path} was changed" for path, text in contents(data).items() if before.get(path) != text]


def spoilt_fields(world, kept, jobs):
    """One sealed field cut short, and one with the bytes of another job: each is refused with the reason, and all else is read."""
    data = world.dir / "relay"
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    spoilt = list(jobs.given)[:2]
    with sqlite3.connect(data / "relay.db") as database:
        sealed = database.execute("select sealed_trigger from job_triggers where job = ?", (spoilt[0],)).fetchone()[0]
        database.execute("update job_triggers set sealed_trigger = ? where job = ?", (sealed[: len(sealed) // 2], spoilt[0]))
        database.execute("update job_triggers set sealed_trigger = ? where job = ?", (sealed, spoilt[1]))
    database.close()
    world.start("relay")
    world.wait_ready()
    found = []
    for job, value in jobs.given.items():
        status, answer = world.call("GET", f"/v1/jobs/{job}/trigger")
        text = str(answer)
        told = "$unreadable" in text and "was changed, or belongs to another record" in text if job in spoilt else value in text
        if status != 200 or not told:
            found.append(f"a spoilt field: {job}: {status} {text[:200]}")
        if job in spoilt and any(other in text for other in jobs.given.values()):
            found.append(f"a spoilt field tells another job's data: {text}")
    stop(world)
    return found


def main():
    world = World(pathlib.Path(sys.argv[1]).resolve())
    other = World(pathlib.Path(sys.argv[1]).resolve())
    try:
        jobs = []
        for one in (world, other):
            (one.dir / "agent/policy.yaml").write_text(POLICY)
            (one.dir / "agent/connections.yaml").write_text("version: 1\nconnections: {}\n")
            (one.dir / "recipe.yaml").write_text(RECIPE)
            start_pair(one)
            jobs.append(Jobs(one))
            jobs[-1].run(3)
            one.kill("agent")
            stop(one)
        kept = shutil.copytree(world.dir / "relay", world.dir / "kept")
        world.start("relay")
        world.wait_ready()
        found = [f"positive control: {fault}" for fault in jobs[0].faults()]
        stop(world)
        found += spoilt_fields(world, kept, jobs[0])
        for row in REFUSED:
            found += refusal_faults(world, kept, other.dir / "relay", row)
        print("\n".join(found) if found else f"{len(REFUSED)} faults refused with what happened, where and what to do; two spoilt fields did not open")
        return 1 if found else 0
    finally:
        world.close()
        other.close()


if __name__ == "__main__":
    sys.exit(main())
