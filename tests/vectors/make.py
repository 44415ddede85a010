#!/usr/bin/env python3
"""Makes the test vectors beside it: what another implementation says that ours must say too.

AES-GCM and the curve come from python3-cryptography; HMAC from Python's own library, and HKDF and HPKE are written out here from RFC 5869
and RFC 9180. Every input follows from its label, so that each run gives the same files. `make.py --check` fails when a file beside it
differs from what it would write; `--self-test` checks that a changed byte is noticed, and this HPKE against the CFRG's own vector.

One vector per line: verdict, label, then the fields named in the first line, in hex, "-" when empty.
"""
import hashlib
import hmac
import pathlib
import sys
import tempfile

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).resolve().parent
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
SIZES = [0, 1, 12, 15, 16, 17, 31, 32, 33, 64, 65, 255, 256]


def made(label, size):
    out = b""
    while len(out) < size:
        out += hashlib.sha256(f"{label}/{len(out)}".encode()).digest()
    return out[:size]


def flipped(data, bit):
    return data[:bit // 8] + bytes([data[bit // 8] ^ (1 << bit % 8)]) + data[bit // 8 + 1:]


# --- AES-256-GCM

def gcm_vectors():
    def vector(label, plain, associated, nonce=None, spoil=None):
        key, nonce = made(label + " key", 32), nonce or made(label + " nonce", 12)
        sealed = AESGCM(key).encrypt(nonce, plain, associated)
        return ("valid" if spoil is None else "invalid", label, key, nonce, associated, plain,
                sealed if spoil is None else spoil(sealed))

    for size in SIZES:
        yield vector(f"plain-{size}", made("plain", size), b"row 7")
        yield vector(f"associated-{size}", b"payload", made("associated", size))
    for name, nonce in (("zeros", bytes(12)), ("ones", b"\xff" * 12), ("last-one", bytes(11) + b"\1")):
        yield vector(f"nonce-of-{name}", b"payload", b"", nonce)
    for bit in (0, 1, 7, 8, 31, 32, 33, 63, 64, 71, 77, 80, 96, 97, 103, 120, 121, 126, 127):
        yield vector(f"tag-bit-{bit}", b"payload", b"row 7",
                     spoil=lambda s, bit=bit: s[:-16] + flipped(s[-16:], bit))
    for name, change in (("zeroed", lambda t: bytes(16)), ("all-ones", lambda t: b"\xff" * 16),
                         ("inverted", lambda t: bytes(b ^ 0xff for b in t)),
                         ("top-bits-changed", lambda t: bytes(b ^ 0x80 for b in t)),
                         ("low-bits-changed", lambda t: bytes(b ^ 0x01 for b in t)),
                         ("reversed", lambda t: t[::-1]), ("one-longer", lambda t: t + b"\0")):
        yield vector(f"tag-{name}", b"payload", b"row 7", spoil=lambda s, change=change: s[:-16] + change(s[-16:]))
    for size in range(0, 16):
        yield vector(f"tag-cut-to-{size}", b"payload", b"row 7", spoil=lambda s, size=size: s[:len(s) - 16 + size])
    for size in (1, 16, 32):
        yield vector(f"text-changed-{size}", made("plain", size), b"", spoil=lambda s: flipped(s, 0))
    yield vector("text-without-its-last-block", made("plain", 32), b"", spoil=lambda s: s[:16] + s[32:])
    yield vector("blocks-exchanged", made("plain", 32), b"", spoil=lambda s: s[16:32] + s[:16] + s[32:])


# --- HKDF-SHA256 (RFC 5869)

def hkdf_extract(salt, secret):
    return hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()


def hkdf_expand(prk, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def hkdf_vectors():
    def vector(label, secret, salt, info, length):
        return "valid", label, secret, salt, info, hkdf_expand(hkdf_extract(salt, secret), info, length)

    for length in (1, 16, 31, 32, 33, 63, 64, 65, 255, 256, 8159, 8160):  # 8160 = 255 * 32, the most
        yield vector(f"length-{length}", made("secret", 32), made("salt", 32), b"info", length)
    for size in (1, 16, 31, 32, 63, 64, 65, 128, 200):  # 64 is the block of SHA-256: a longer key is hashed
        yield vector(f"secret-{size}", made("secret", size), made("salt", 32), b"info", 42)
    for size in (0, 1, 16, 31, 32, 63, 64, 65, 128):
        yield vector(f"salt-{size}", made("secret", 32), made("salt", size), b"info", 42)
    for size in (0, 1, 32, 64, 255, 256, 1024):
        yield vector(f"info-{size}", made("secret", 32), made("salt", 32), made("info", size), 64)


# --- HPKE (RFC 9180), mode_base, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM

KEM, SUITE = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x02"


def labelled_extract(suite, salt, label, secret):
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + secret)


def labelled_expand(suite, prk, label, info, length):
    return hkdf_expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def scalar(label):
    return 1 + int.from_bytes(made(label, 40), "big") % (ORDER - 1)


def private(number):
    return ec.derive_private_key(number, ec.SECP256R1())


def point(key):
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def hpke_seal(ephemeral, recipient, info, aad, plain):
    enc, to = point(private(ephemeral)), point(private(recipient))
    agreed = private(ephemeral).exchange(ec.ECDH(), private(recipient).public_key())
    prk = labelled_extract(KEM, b"", b"eae_prk", agreed)
    shared = labelled_expand(KEM, prk, b"shared_secret", enc + to, 32)
    context = (b"\0" + labelled_extract(SUITE, b"", b"psk_id_hash", b"") +
               labelled_extract(SUITE, b"", b"info_hash", info))
    secret = labelled_extract(SUITE, shared, b"secret", b"")
    key = labelled_expand(SUITE, secret, b"key", context, 32)
    nonce = labelled_expand(SUITE, secret, b"base_nonce", context, 12)
    return enc + AESGCM(key).encrypt(nonce, plain, aad)


def hpke_vectors():
    def vector(label, plain, info, aad, spoil=None, ephemeral=None, recipient=None):
        ephemeral, recipient = ephemeral or scalar(label + " ephemeral"), recipient or scalar(label + " recipient")
        sealed = hpke_seal(ephemeral, recipient, info, aad, plain)
        return ("valid" if spoil is None else "invalid", label, ephemeral.to_bytes(32, "big"),
                recipient.to_bytes(32, "big"), info, aad, plain, sealed if spoil is None else spoil(sealed))

    for size in SIZES:
        yield vector(f"plain-{size}", made("plain", size), b"info", b"aad")
        yield vector(f"info-{size}", b"payload", made("info", size), b"aad")
        yield vector(f"aad-{size}", b"payload", b"info", made("aad", size))
    yield vector("nothing-at-all", b"", b"", b"")
    for name, number in (("one", 1), ("two", 2), ("order-less-one", ORDER - 1)):
        yield vector(f"ephemeral-{name}", b"payload", b"info", b"aad", ephemeral=number)
        yield vector(f"recipient-{name}", b"payload", b"info", b"aad", recipient=number)
    x, y = lambda s: s[1:33], lambda s: s[33:65]
    number = lambda value: value.to_bytes(32, "big")
    for name, enc in (("infinity", lambda s: bytes(65)), ("the-origin", lambda s: b"\4" + bytes(64)),
                      ("y-negated", lambda s: b"\4" + x(s) + number(PRIME - int.from_bytes(y(s), "big"))),
                      ("y-one-more", lambda s: b"\4" + x(s) + number(1 + int.from_bytes(y(s), "big"))),
                      ("coordinates-exchanged", lambda s: b"\4" + y(s) + x(s)),
                      ("x-is-the-prime", lambda s: b"\4" + number(PRIME) + y(s)),
                      ("all-ones", lambda s: b"\4" + b"\xff" * 64),
                      ("hybrid-form", lambda s: bytes([6 + s[64] % 2]) + x(s) + y(s)),
                      ("compressed-form", lambda s: bytes([2 + s[64] % 2]) + x(s)),
                      ("compressed-and-padded", lambda s: bytes([2 + s[64] % 2]) + x(s) + bytes(32)),
                      ("of-the-generator", lambda s: point(private(1)))):
        yield vector(f"enc-{name}", b"payload", b"info", b"aad", spoil=lambda s, enc=enc: enc(s) + s[65:])


FILES = {
    "aes_256_gcm.txt": ("key nonce associated plain sealed", gcm_vectors),
    "hkdf_sha256.txt": ("secret salt info derived", hkdf_vectors),
    "hpke.txt": ("ephemeral recipient info aad plain sealed", hpke_vectors),
}


def text_of(name):
    fields, vectors = FILES[name]
    lines = [f"# made by make.py: verdict label {fields}"]
    for verdict, label, *values in vectors():
        lines.append(" ".join([verdict, label] + [value.hex() or "-" for value in values]))
    return "\n".join(lines) + "\n"


def stale(folder):
    return [name for name in FILES if not (folder / name).exists() or (folder / name).read_text() != text_of(name)]


def self_test():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name in FILES:
            (folder / name).write_text(text_of(name))
        assert stale(folder) == []
        text = (folder / "hpke.txt").read_text()
        (folder / "hpke.txt").write_text(text[:-2] + ("0" if text[-2] != "0" else "1") + "\n")
        assert stale(folder) == ["hpke.txt"], stale(folder)
        (folder / "hpke.txt").unlink()
        assert stale(folder) == ["hpke.txt"], stale(folder)
    official = hpke_seal(0x90345E3A1D116C1DD39AE76D95AB858C142223A63E44F8F85318CFA91A84858E,
                         0x317F915DB7BC629C48FE765587897E01E282D3E8445F79F27F65D031A88082B2,
                         b"Ode on a Grecian Urn", b"Count-0", b"Beauty is truth, truth beauty")
    assert official[65:].hex().startswith("58c61a45059d0c57"), official.hex()


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    elif sys.argv[1:] == ["--check"]:
        if stale(HERE):
            sys.exit(f"not what make.py writes: {', '.join(stale(HERE))}")
    else:
        for name in FILES:
            (HERE / name).write_text(text_of(name))
