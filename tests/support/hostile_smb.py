#!/usr/bin/python3
"""A program in the place of sallyport-smb that answers as the file `how` beside it says (agent/connectors/smb/wire).

It takes any login; every path is a file of seven bytes, but for those without a dot in their name, which are directories.
"""
import os
import pathlib
import socket
import struct
import sys
import time

OPEN, LOOK, LIST, OPEN_FILE, READ, WRITE, CLOSE, RENAME, REMOVE = range(9)
DONE, FAILED, FACTS, ENTRY, PIECE = range(5)
agent = socket.socket(fileno=os.dup(0))
place = pathlib.Path(sys.argv[0]).parent


def receive(size):
    data = b""
    while len(data) < size:
        piece = agent.recv(size - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data


def answer(kind, payload=b""):
    agent.sendall(struct.pack("<IB", 1 + len(payload), kind) + payload)


def facts(directory=False):
    return struct.pack("<BQQ", 1 if directory else 0, 7, 10**18)


def entry(name):
    return struct.pack("<I", len(name)) + name + facts()


def behave(how, kind, payload):
    """True when that was the answer."""
    if how == "unasked" and kind == OPEN:
        answer(PIECE, b"content")
    elif how == "garbage" and kind == LOOK:
        agent.sendall(b"\xff" * 4096)
    elif how == "empty" and kind == LOOK:
        agent.sendall(struct.pack("<I", 0))
    elif how == "torn" and kind == LOOK:
        agent.sendall(struct.pack("<IB", 18, FACTS) + b"\0")
        os._exit(0)
    elif how == "strange" and kind == LOOK:
        answer(FAILED, struct.pack("<BQ", 200, 0))
    elif how == "dies" and kind == READ:
        os._exit(1)
    elif how == "dies in a change" and kind in (RENAME, REMOVE):
        os._exit(1)
    elif how == "loses the target" and kind == RENAME:
        (place / "lost").touch()
        answer(FAILED, struct.pack("<BQ", 4, 17))  # it exists already
    elif how == "loses the target" and kind == LOOK and (place / "lost").exists() and payload.endswith(b"a.txt"):
        answer(FAILED, struct.pack("<BQ", 3, 2))  # not found
    elif how == "loses the target" and kind == REMOVE and (place / "lost").exists():
        (place / "removed").touch()
        answer(DONE)
    elif how == "hangs" and kind == READ:
        time.sleep(3600)
    elif how == "hangs at once":
        time.sleep(3600)
    elif how == "more than asked" and kind == READ:
        answer(PIECE, b"x" * (1 << 20))
    elif how == "more than there is" and kind == READ:
        answer(PIECE, b"x" * 4096)
    elif how == "takes its time" and kind in (OPEN, LIST):
        time.sleep(2.5)
        answer(DONE)
    elif how == "lists without end" and kind == LIST:
        while True:
            answer(ENTRY, entry(b"x"))
    elif how.startswith("lists ") and kind == LIST:
        answer(ENTRY, entry({"a path": b"../../etc/passwd", "no name": b"", "nul": b"a\0b", "a stream": b"a:b", "a backslash": b"b\\a"}[how[6:]]))
        answer(DONE)
    else:
        return False
    return True


def main(how):
    while True:
        size, kind = struct.unpack("<IB", receive(5))
        payload = receive(size - 1)
        if behave(how, kind, payload):
            continue
        if kind == LOOK:
            name = payload[4:].decode().rsplit("/", 1)[-1]
            answer(FACTS, facts(directory=name == "." or "." not in name))
        elif kind == READ:
            at = struct.unpack("<Q", payload[:8])[0]
            answer(PIECE, b"content"[at:])
        else:
            answer(DONE)


main((place / "how").read_text())
