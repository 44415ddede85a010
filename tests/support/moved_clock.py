"""A world whose relay's and agent's wall clocks a test moves, while their kernels say that NTP keeps them so (moved_clock/moved_clock.cc)."""
import http.client
import pathlib
import ssl
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World  # noqa: E402

HOUR, DAY = 3600, 86400


class MovedWorld(World):
    def __init__(self, binaries, library, **more):
        super().__init__(binaries, **more)
        self.library = library
        for who in ("relay", *self.agents):
            self.move(0, who)

    def plan(self, who):
        return self.dir / f"moved-clock-{who}"

    def move(self, seconds, who="relay"):
        """From now on, also in a process that runs: the plan is mapped into it."""
        plan = self.plan(who)
        with open(plan, "r+b" if plan.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds * 1000))

    def start(self, name):
        plain = self.env
        self.env = plain | {"LD_PRELOAD": str(self.library), "SALLYPORT_MOVED_CLOCK": str(self.plan(name))}
        try:
            super().start(name)
        finally:
            self.env = plain

    def keep_for_a_day(self):
        """Data of jobs: so that it expires while certificates live."""
        self.run("sallyport", "retention", "set", "payload=24h", "logs=24h", "--shorten")

    def trust_nobody(self):
        """From here on calls do not ask whose certificate it is: one that was renewed under a moved clock is not valid yet."""
        self.context = lambda: ssl._create_unverified_context()  # noqa: SLF001

    def metrics(self):
        connection = http.client.HTTPSConnection("127.0.0.1", self.api, context=self.context(), timeout=10)
        try:
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {self.token}"})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def log_of_relay(self):
        return (self.dir / "relay.log").read_text(errors="replace")

    def wait_for_log(self, text, after=0, patience=60):
        """The position behind `text` in the relay's log; nothing when it does not come in time."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            at = self.log_of_relay().find(text, after)
            if at >= 0:
                return at + len(text)
            if self.processes["relay"].poll() is not None:
                return None
            time.sleep(0.1)
        return None
