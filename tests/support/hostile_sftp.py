#!/usr/bin/env python3
"""An SFTP subsystem that lists names no file can have: hostile_sftp.py slash|nul|dots|endless."""
import struct
import sys

NAMES = {"slash": b"../../etc/passwd", "nul": b"a\0b", "dots": b"..", "endless": b"x"}
FILE, DIRECTORY = 0o100644, 0o040755


def text(value):
    return struct.pack(">I", len(value)) + value


def attributes(mode):
    return struct.pack(">IQI", 1 | 4, 7, mode)


def answer(kind, number, payload):
    body = bytes([kind]) + struct.pack(">I", number) + payload
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()


def name(value, mode):
    return struct.pack(">I", 1) + text(value) + text(value) + attributes(mode)


def main(evil):
    listed = 0
    while header := sys.stdin.buffer.read(4):
        packet = sys.stdin.buffer.read(struct.unpack(">I", header)[0])
        kind, number = packet[0], struct.unpack(">I", packet[1:5])[0]
        if kind == 1:  # INIT
            sys.stdout.buffer.write(struct.pack(">IBI", 5, 2, 3))
            sys.stdout.buffer.flush()
        elif kind == 16:  # REALPATH: what was asked for
            answer(104, number, name(packet[9:], DIRECTORY))
        elif kind in (7, 17):  # LSTAT, STAT
            answer(105, number, attributes(DIRECTORY))
        elif kind == 11:  # OPENDIR
            answer(102, number, text(b"1"))
        elif kind == 12 and (evil == "endless" or listed == 0):  # READDIR
            listed += 1
            if evil == "endless":
                many = b"".join(text(b"f%d-%d" % (listed, i)) + text(b"") + attributes(FILE) for i in range(500))
                answer(104, number, struct.pack(">I", 500) + many)
            else:
                answer(104, number, name(NAMES[evil], FILE))
        elif kind == 12:
            answer(101, number, struct.pack(">I", 1) + text(b"") + text(b""))  # EOF
        else:
            answer(101, number, struct.pack(">I", 0) + text(b"") + text(b""))


main(sys.argv[1])
