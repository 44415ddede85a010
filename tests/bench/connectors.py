"""connectors: what connectors move in a second beside the best packaged client of each protocol, in turns, in one run; --large GB: a table of so many
GB as CSV to an SFTP server and back into a table, in flat memory.

Sallyport's seconds are those of the steps that move the bytes, as the job's history tells them; a client's are its process's. Both read and write below
the same directory; what an agent fetches, it encrypts into its spool, which clients need not. Held to: at least 0.85 of the client's speed.
"""
import argparse
import datetime
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

import processes
from gates import VERDICT_HEAD, Gate, judge, missed, number, table, verdict_rows
from servers import PASSWORD, USER, Mariadb, Nginx, Sshd, Vsftpd

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
from kill_loop import Postgres, World, start_pair  # noqa: E402

ROW = 160  # bytes of a row in CSV, nearly
COLUMNS = "id, customer, total, at, note"
SHARE = 0.85  # of the client's speed
MEMORY = 32  # MiB more than the agent had before

POLICY = """version: 1
actions: ["file.*", "sql.*", "csv.*", "sftp.*", "ftps.*", "http.*", command.run@1]
limits: {run_time: 12h, rows: 1000000000, bytes: 1TiB}
connections:
  effects: {sql: {verbs: [insert]}}
  effects-server: {sql: {verbs: [insert]}}
  work: {files: [{directory: ".", allow: [read, write, delete]}]}
  postgres: {sql: {verbs: [select, insert]}}
  mariadb: {sql: {verbs: [select, insert]}}
  sftp: {files: [{directory: ".", allow: [read, write, delete]}]}
  ftps: {files: [{directory: ".", allow: [read, write, delete]}]}
  http: {http: {allow: [{methods: [GET, PUT], paths: ["/files/**"]}], addresses: [loopback]}}
commands:
  append: {argv: [/bin/true]}
"""


class Site:
    """A relay, an agent, and servers; all are started by the first that asks for them."""

    def __init__(self, programs, spool="10GiB"):
        self.world = World(programs, server=Postgres)
        self.work = self.world.dir / "work"
        self.work.mkdir()
        self.servers = {name: kind(self.world.dir / name) for name, kind in (("mariadb", Mariadb), ("sftp", Sshd), ("http", Nginx), ("ftps", Vsftpd))}
        config = self.world.dir / "agent"
        (config / "agent.yaml").write_text(f"version: 1\nstate_dir: state\nlimits: {{spool: {spool}}}\n")
        (config / "password").write_text(PASSWORD + "\n")
        (config / "password").chmod(0o600)
        (config / "connections.yaml").write_text((config / "connections.yaml").read_text() + self.connections())
        (config / "policy.yaml").write_text(POLICY)
        start_pair(self.world)

    def connections(self):
        mariadb, sftp, http, ftps = (self.servers[name] for name in ("mariadb", "sftp", "http", "ftps"))
        login = f"user: {USER}, password_file: password"
        return f"""
  work: {{kind: file, root: "{self.work}"}}
  postgres: {self.world.server.connection().replace(", effect_ledger: true", "")}
  mariadb: {{kind: sql, driver: mysql, host: 127.0.0.1, port: {mariadb.port}, database: bench, {login}, ca_file: {mariadb.dir}/ca.pem, sslmode: verify-full}}
  sftp: {{kind: ssh, host: 127.0.0.1, port: {sftp.port}, user: {sftp.user()}, key_file: {sftp.dir}/user, host_keys: ["{sftp.host_key}"], root: {sftp.files}}}
  http: {{kind: http, url: "https://127.0.0.1:{http.port}", ca_file: {http.dir}/ca.pem}}
  ftps: {{kind: ftps, host: 127.0.0.1, port: {ftps.port}, {login}, ca_file: {ftps.dir}/ca.pem, root: "."}}
"""

    def job(self, name, steps):
        """Runs these steps once; {step: seconds}."""
        (self.world.dir / f"{name}.yaml").write_text(f"recipe: {name}\nrun_on: dc1\ntrigger: {{uses: manual@1}}\ntimeout: 1d\nsteps:\n" + "".join(f"  - {step}\n" for step in steps))
        self.world.run("sallyport", "recipes", "apply", "-f", self.world.dir / f"{name}.yaml", "--activate")
        status, job = self.world.call("POST", "/v1/jobs", {"recipe_name": name})
        if status != 202:
            raise SystemExit(f"{name}: {job}")
        while (job := self.world.read(f"/v1/jobs/{job['id']}"))["state"] in ("queued", "dispatched", "running"):
            time.sleep(0.1)
        if job["state"] != "succeeded":
            raise SystemExit(f"{name} {job['state']}: {job['error']}")
        took = {step["path"]: instant(step["finished_at"]) - instant(step["started_at"]) for step in self.world.read(f"/v1/jobs/{job['id']}/steps")["items"]}
        return took

    def close(self):
        for server in self.servers.values():
            server.close()
        self.world.close()


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def timed(*words, **more):
    began = time.monotonic()
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=3600, **{"stdout": subprocess.DEVNULL, **more})
    if done.returncode != 0:
        raise SystemExit(f"{words[0]}: {done.stderr.decode(errors='replace')}")
    return time.monotonic() - began


def rows_of(database, count):
    series, text = {"postgres": (f"generate_series(1, {count}) as i(n)", "n::text"), "mariadb": (f"(select seq as n from seq_1_to_{count}) as i", "n")}[database]
    return (f"select n as id, concat('customer ', n % 1000) as customer, n * 1.25 as total, timestamp '2026-01-31 09:30:00' as at, "
            f"concat(md5({text}), repeat('x', {ROW - 90})) as note from {series}")


class Case:
    """One direction of one protocol. `client` and `ours` give the seconds they took for `self.bytes`."""

    gated = True

    def __init__(self, site, size):
        self.site = site
        self.size = size
        self.source = site.work / "source"
        if not self.source.exists() or self.source.stat().st_size != size:
            block = os.urandom(1 << 20)
            with open(self.source, "wb") as out:
                for at in range(0, size, len(block)):
                    out.write(block[:size - at])
        self.bytes = size

    def prepare(self):
        pass

    def check(self, moved):
        if moved.stat().st_size != self.bytes:
            raise SystemExit(f"{self.name}: {moved.stat().st_size} bytes arrived of {self.bytes}")
        moved.unlink()


class Query(Case):
    """A table: `steps` of reading it, which csv.write@1 makes CSV of, as the client does."""

    steps = ("rows",)

    def prepare(self):
        self.create("drop table if exists entries")
        self.create("create table entries (id bigint primary key, customer varchar(40), total decimal(14,2), at timestamp, note text)")
        self.create(f"insert into entries {rows_of(self.server, self.size // ROW)}")

    def ours(self):
        took = self.site.job(f"read-{self.server}", [
            f"{{id: rows, uses: sql.query@1, connection: {self.server}, with: {{statement: 'select {COLUMNS} from entries'}}}}",
            "{id: csv, uses: csv.write@1, with: {rows: '${{ steps.rows.output.rows }}'}}",
            "{id: file, uses: file.write@1, connection: work, with: {path: ours.csv, source: '${{ steps.csv.output.file }}'}}"])
        self.bytes = (self.site.work / "ours.csv").stat().st_size
        (self.site.work / "ours.csv").unlink()
        return sum(took[step] for step in self.steps)


class QueryPostgres(Query):
    name, server, peer = "postgres, sql.query", "postgres", "psql \\copy"

    def create(self, text):
        self.site.world.server.sql(text)

    def client(self):
        postgres = self.site.world.server
        return timed("psql", "-h", "127.0.0.1", "-p", postgres.port, "-U", "postgres", "-Xq", "-c", f"\\copy (select {COLUMNS} from entries) to '{self.site.work}/theirs.csv' csv header")


class QueryMariadb(Query):
    name, server, peer = "mariadb, sql.query", "mariadb", "mariadb --quick"

    def create(self, text):
        self.site.servers["mariadb"].sql(text)

    def client(self):
        mariadb = self.site.servers["mariadb"]
        options = ["--no-defaults", "--quick", "--batch", "-h", "127.0.0.1", "-P", mariadb.port, "-u", USER, f"--ssl-ca={mariadb.dir}/ca.pem", "--ssl-verify-server-cert", "bench"]
        with open(self.site.work / "theirs.csv", "wb") as out:
            return timed("mariadb", *options, "-e", f"select {COLUMNS} from entries", stdout=out, env={**os.environ, "MYSQL_PWD": PASSWORD})


class CsvPostgres(QueryPostgres):
    name, steps, gated = "postgres, sql.query and csv.write", ("rows", "csv"), False


class CsvMariadb(QueryMariadb):
    name, steps, gated = "mariadb, sql.query and csv.write", ("rows", "csv"), False


class LoadPostgres(Case):
    name, server, peer = "postgres, csv.read and sql.batch", "postgres", "psql \\copy"

    def prepare(self):
        sql = self.site.world.server.sql
        for name in ("ours", "theirs"):
            sql(f"create table {name} (id bigint, customer text, total decimal(14,2), at timestamp, note text)")
        count = self.size // ROW
        copy = f"\\copy ({rows_of('postgres', count)}) to '{self.site.work}/rows.csv' csv header"
        timed("psql", "-h", "127.0.0.1", "-p", self.site.world.server.port, "-U", "postgres", "-Xq", "-c", copy)
        self.bytes = (self.site.work / "rows.csv").stat().st_size

    def client(self):
        self.site.world.server.sql("truncate theirs")
        return timed("psql", "-h", "127.0.0.1", "-p", self.site.world.server.port, "-U", "postgres", "-Xq", "-c", f"\\copy theirs from '{self.site.work}/rows.csv' csv header")

    def ours(self):
        self.site.world.server.sql("truncate ours")
        took = self.site.job("load-postgres", [
            "{id: file, uses: file.read@1, connection: work, with: {path: rows.csv}}",
            "{id: rows, uses: csv.read@1, with: {source: '${{ steps.file.output.file }}'}}",
            f"{{id: insert, uses: sql.batch@1, connection: postgres, with: {{statement: 'insert into ours ({COLUMNS}) values (:id, :customer, :total, :at, :note)', rows: '${{{{ steps.rows.output.rows }}}}'}}}}"])
        return took["insert"]


class Put(Case):
    def ours(self):
        took = self.site.job(f"put-{self.server}", ["{id: file, uses: file.read@1, connection: work, with: {path: source}}", self.step])
        self.check(self.site.servers[self.server].files / "ours")
        return took["put"]


class Get(Case):
    def prepare(self):
        target = self.site.servers[self.server].files / "source"
        if not target.exists():
            os.link(self.source, target)
        target.chmod(0o644)

    def ours(self):
        return self.site.job(f"get-{self.server}", [self.step])["get"]


class Sftp:
    server, peer = "sftp", "sftp"

    def batch(self, line):
        sftp = self.site.servers["sftp"]
        commands = self.site.world.dir / "sftp.batch"
        commands.write_text(line + "\n")
        return timed("sftp", "-q", "-b", commands, "-F", "none", "-P", sftp.port, "-i", sftp.dir / "user", "-o", f"UserKnownHostsFile={sftp.dir}/known_hosts", f"{sftp.user()}@127.0.0.1")


class PutSftp(Sftp, Put):
    name = "sftp.put"
    step = "{id: put, uses: sftp.put@1, connection: sftp, with: {path: ours, source: '${{ steps.file.output.file }}'}}"

    def client(self):
        took = self.batch(f"put {self.source} {self.site.servers['sftp'].files}/theirs")
        self.check(self.site.servers["sftp"].files / "theirs")
        return took


class GetSftp(Sftp, Get):
    name = "sftp.get"
    step = "{id: get, uses: sftp.get@1, connection: sftp, with: {path: source}}"

    def client(self):
        took = self.batch(f"get {self.site.servers['sftp'].files}/source {self.site.work}/theirs")
        self.check(self.site.work / "theirs")
        return took


class Curl:
    peer = "curl"

    def curl(self, *words):
        server = self.site.servers[self.server]
        return timed("curl", "-q", "--noproxy", "*", "-sSf", "--cacert", server.dir / "ca.pem", *words)


class GetHttp(Curl, Get):
    name, server = "http.request, GET", "http"
    step = "{id: get, uses: http.request@1, connection: http, with: {path: files/source}}"

    def client(self):
        took = self.curl("-o", self.site.work / "theirs", f"https://127.0.0.1:{self.site.servers['http'].port}/files/source")
        self.check(self.site.work / "theirs")
        return took


class PutHttp(Curl, Put):
    name, server = "http.request, PUT", "http"
    step = "{id: put, uses: http.request@1, connection: http, with: {method: PUT, path: files/ours, body: '${{ steps.file.output.file }}'}}"

    def client(self):
        took = self.curl("-T", self.source, f"https://127.0.0.1:{self.site.servers['http'].port}/files/theirs")
        self.check(self.site.servers["http"].files / "theirs")
        return took


class Ftps(Curl):
    server = "ftps"

    def curl(self, *words):
        login = self.site.world.dir / "netrc"
        login.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
        return super().curl("--ssl-reqd", "--tls-max", "1.2", "--netrc-file", login, *words)

    def url(self, name):
        return f"ftp://127.0.0.1:{self.site.servers['ftps'].port}/{name}"


class PutFtps(Ftps, Put):
    name = "ftps.put"
    step = "{id: put, uses: ftps.put@1, connection: ftps, with: {path: ours, source: '${{ steps.file.output.file }}'}}"

    def client(self):
        took = self.curl("-T", self.source, self.url("theirs"))
        self.check(self.site.servers["ftps"].files / "theirs")
        return took


class GetFtps(Ftps, Get):
    name = "ftps.get"
    step = "{id: get, uses: ftps.get@1, connection: ftps, with: {path: source}}"

    def client(self):
        took = self.curl("-o", self.site.work / "theirs", self.url("source"))
        self.check(self.site.work / "theirs")
        return took


CASES = [QueryPostgres, CsvPostgres, LoadPostgres, QueryMariadb, CsvMariadb, PutSftp, GetSftp, PutFtps, GetFtps, PutHttp, GetHttp]
GATES = [Gate("CN", f"{case.name}: share of the speed of {case.peer}", case.name, False, SHARE) for case in CASES if case.gated]


def compare(programs, chosen):
    site = Site(programs)
    rows, figures = [], {}
    try:
        agent = [site.world.processes["agent"].pid]
        for kind in CASES:
            if not any(word in kind.name for word in chosen.only.split(",")):
                continue
            case = kind(site, chosen.mb << 20)
            case.prepare()
            theirs, ours, cpu = [], [], []
            for _ in range(chosen.runs):
                theirs.append(case.client())
                before = processes.cpu_seconds(agent)
                ours.append(case.ours())
                cpu.append(processes.cpu_seconds(agent) - before)
            figures[case.name] = statistics.median(their / our for their, our in zip(theirs, ours))
            speeds = [case.bytes / 1e6 / statistics.median(took) for took in (theirs, ours)]
            rows.append([case.name, case.peer, *(number(speed) for speed in speeds), number(figures[case.name]), number(statistics.median(cpu) * 1e9 / case.bytes)])
            print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    finally:
        site.close()
    print(table(["connector", "client", "client MB/s", "MB/s", "share", "agent CPU s/GB"], rows, chosen.report))
    verdicts = [judge(gate, {"sallyport": figures}) for gate in GATES if gate.figure in figures]
    print("\n" + table(VERDICT_HEAD, verdict_rows(verdicts), chosen.report))
    return 1 if missed(verdicts) else 0


class Peak(threading.Thread):
    """The most private memory, MiB, that a process had since it was started."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.ended = pid, 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.1):
            self.most = max(self.most, private(self.pid))

    def stop(self):
        self.ended.set()
        self.join()
        return self.most


def private(pid):
    kib = processes.memory([pid])
    return (kib.get("Private_Dirty", 0) + kib.get("Private_Clean", 0)) / 1024


LARGE_GATES = [Gate("CN11", f"MiB that the agent's memory grew by, {way}", way, True, MEMORY) for way in ("out", "back")] + \
    [Gate("CN11", "the rows that came back are those that went out", "equal", False, 1)]
WAYS = {
    "out": [f"{{id: rows, uses: sql.query@1, connection: postgres, with: {{statement: 'select {COLUMNS} from entries'}}, timeout: 12h}}",
            "{id: csv, uses: csv.write@1, with: {rows: '${{ steps.rows.output.rows }}'}, timeout: 12h}",
            "{id: put, uses: sftp.put@1, connection: sftp, with: {path: lines.csv, source: '${{ steps.csv.output.file }}', if_exists: replace}, timeout: 12h}"],
    "back": ["{id: get, uses: sftp.get@1, connection: sftp, with: {path: lines.csv}, timeout: 12h}",
             "{id: rows, uses: csv.read@1, with: {source: '${{ steps.get.output.body }}'}, timeout: 12h}",
             f"{{id: insert, uses: sql.batch@1, connection: postgres, with: {{statement: 'insert into ours ({COLUMNS}) values (:id, :customer, :total, :at, :note)', "
             "rows: '${{ steps.rows.output.rows }}', commit_every: 1000000}, timeout: 12h}"],
}


def large(programs, chosen):
    """The rows are wide (1 KB): what is measured is bodies, not the database."""
    size = int(chosen.large * 1e9)
    site = Site(programs, spool=f"{int(chosen.large * 2) + 4}GiB")
    rows, figures = [], {}
    try:
        sql, count = site.world.server.sql, size // 1000
        for name in ("entries", "ours"):
            sql(f"create unlogged table {name} (id bigint, customer text, total decimal(14,2), at timestamp, note text)")
        note = f"repeat('x', {ROW - 90})"
        sql(f"insert into entries {rows_of('postgres', count).replace(note, f'repeat(md5((n + 1)::text), 28)')}")
        pid = site.world.processes["agent"].pid
        for way, steps in WAYS.items():
            site.job(f"first-{way}", [step.replace("from entries", "from entries limit 1000").replace("lines.csv", "first.csv") for step in steps])
            sql("truncate ours")
            before, cpu, peak = private(pid), processes.cpu_seconds([pid]), Peak(pid)
            peak.start()
            took = site.job(way, steps)
            figures[way] = peak.stop() - before
            moved = (site.servers["sftp"].files / "lines.csv").stat().st_size
            rows.append([way, number(moved / 1e9), number(before), number(figures[way]), number(processes.cpu_seconds([pid]) - cpu),
                         *(f"{step} {number(moved / 1e6 / max(seconds, 0.001))}" for step, seconds in took.items() if step != "rows")])
            print(" ".join(rows[-1]), file=sys.stderr, flush=True)
        figures["equal"] = float(digest(sql, "entries") == digest(sql, "ours"))
    finally:
        site.close()
    print(table(["way", "GB", "MiB before", "MiB more", "CPU s", "MB/s", "MB/s"], rows, chosen.report))
    verdicts = [judge(gate, {"sallyport": figures}) for gate in LARGE_GATES]
    print("\n" + table(VERDICT_HEAD, verdict_rows(verdicts), chosen.report))
    return 1 if missed(verdicts) else 0


def digest(sql, name):
    return sql(f"select count(*), sum(hashtextextended(row(l.*)::text, 0)::numeric) from {name} as l")


def main(programs, words):
    options = argparse.ArgumentParser(prog="bench connectors", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--mb", type=int, default=512, help="MiB that are moved each time (512)")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--only", default="", help="connectors whose names have one of these words, with commas")
    options.add_argument("--large", type=float, default=0, metavar="GB", help="the table that goes out and comes back, instead")
    options.add_argument("--report", action="store_true", help="tables for docs/benchmarks.md")
    chosen = options.parse_args(words)
    return large(programs, chosen) if chosen.large else compare(programs, chosen)
