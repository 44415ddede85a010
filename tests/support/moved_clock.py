"""A world whose relay's wall clock a test moves, and whose kernel says what the test wants of it (moved_clock/moved_clock.cc)."""
import pathlib
import ssl
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from faults.kill_loop import World  # noqa: E402

SILENT, TRUE, MOVED = 0, 1, 2  # what the kernel says: that it is not synchronised, the time, the time as the wall clock shows it
HOUR, DAY = 3600, 86400


class MovedWorld(World):
    def __init__(self, binaries, library, **more):
        super().__init__(binaries, **more)
        self.plan, self.library = self.dir / "moved-clock", library
        self.move(0, SILENT)

    def move(self, seconds, kernel):
        """From now on, also in a process that runs: the plan is mapped into it."""
        with open(self.plan, "r+b" if self.plan.exists() else "wb") as file:
            file.write(struct.pack("=qq", seconds * 1000, kernel))

    def start(self, name):
        plain = self.env
        if name == "relay":
            self.env = plain | {"LD_PRELOAD": str(self.library), "SALLYPORT_MOVED_CLOCK": str(self.plan)}
        try:
            super().start(name)
        finally:
            self.env = plain

    def trust_nobody(self):
        """From here on calls do not ask whose certificate it is: one that was renewed under a moved clock is not valid yet."""
        self.context = lambda: ssl._create_unverified_context()  # noqa: SLF001

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
