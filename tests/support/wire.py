#!/usr/bin/env python3
"""A wire between two network devices that loses, delays and slows packets as it is told.

wire.py DEVICE DEVICE makes the devices and carries between them until its input ends. A line of input is JSON: {"there": {...}, "back": {...}}, for packets from the
first device and from the second: "loss" (of all, 0 to 1), "delay" (seconds), "rate" (bytes a second). What a direction does not name it does well.
"""
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
QUEUE = 0.5  # seconds of packets that wait for a slow wire; further ones are lost
PACKET = 1 << 16


class Direction:
    def __init__(self, sink):
        self.sink, self.faults, self.free = sink, {}, 0.0

    def due(self, packet, now):
        """When the packet arrives; None: never."""
        if random.random() < self.faults.get("loss", 0):
            return None
        at = now
        if rate := self.faults.get("rate"):
            self.free = max(self.free, now)
            if self.free - now > QUEUE:
                return None
            self.free += len(packet) / rate
            at = self.free
        return at + self.faults.get("delay", 0)


def device(name):
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return file


def main():
    ends = [device(name) for name in sys.argv[1:3]]
    ways = {ends[0]: Direction(ends[1]), ends[1]: Direction(ends[0])}
    waiting, count = [], 0
    selector = selectors.DefaultSelector()
    for source in (*ends, sys.stdin.fileno()):
        selector.register(source, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select(max(0, waiting[0][0] - time.monotonic()) if waiting else None):
            if key.fd == sys.stdin.fileno():
                if not (line := sys.stdin.readline()):
                    return
                told = json.loads(line)
                ways[ends[0]].faults, ways[ends[1]].faults = told.get("there", {}), told.get("back", {})
                print("done", flush=True)
                continue
            packet = os.read(key.fd, PACKET)
            if (at := ways[key.fd].due(packet, time.monotonic())) is not None:
                count += 1
                heapq.heappush(waiting, (at, count, key.fd, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, source, packet = heapq.heappop(waiting)
            try:
                os.write(ways[source].sink, packet)
            except OSError:
                pass  # the device is down, or its queue is full: lost


if __name__ == "__main__":
    main()
