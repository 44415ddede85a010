#!/usr/bin/env python3
"""Writes envelope.json: sealed fields as docs/envelope.md says they are, made by another implementation than the relay's.

/usr/bin/python3 tests/vectors/envelope.py > tests/vectors/envelope.json      (Debian's python3-cryptography)
"""
import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CLASSES = {"standing": 0, "payload": 1, "logs": 2, "transient": 3}


def derive(key, salt, info, length):
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


def field(data):
    return struct.pack(">I", len(data)) + data


def seal(case):
    head = bytes([2, CLASSES[case["class"]]]) + struct.pack(">II", case["global"], case["inner"]) + bytes.fromhex(case["salt"])
    salt = bytes.fromhex(case["salt"])
    inner = derive(bytes.fromhex(case["inner_key"]), salt, b"sallyport/2/inner", 64)
    outer = derive(bytes.fromhex(case["outer_key"]), salt, b"sallyport/2/outer", 64)
    associated = field(head) + b"".join(field(case[part].encode()) for part in ("org", "table", "column", "record", "job"))
    commitment = hashlib.sha256(b"sallyport/2/commitment" + inner[32:] + outer[32:]).digest()
    first = AESGCM(inner[:32]).encrypt(bytes(12), bytes.fromhex(case["plaintext"]), associated)
    second = AESGCM(outer[:32]).encrypt(bytes(12), first, associated)
    return (head + commitment + second).hex()


def cases():
    for number, (kind, plaintext) in enumerate([("standing", b""), ("payload", b"x"), ("logs", "öl\0".encode()), ("transient", bytes(range(256)) * 9)]):
        def bytes_of(what):
            return hashlib.sha256(f"{what} {number}".encode()).hexdigest()
        yield {"class": kind, "global": number + 1, "inner": 487_000 * number, "salt": bytes_of("salt"), "inner_key": bytes_of("inner"),
               "outer_key": bytes_of("outer"), "org": f"org_{number}", "table": "steps", "column": "output", "record": f"job_{number}/rows/1",
               "job": f"job_{number}" if kind in ("payload", "logs") else "", "plaintext": plaintext.hex()}


print(json.dumps([case | {"sealed": seal(case)} for case in cases()], indent=1))
