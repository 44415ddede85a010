#!/usr/bin/env python3
"""What TLS the relay speaks at the web API's port and the agents', seen from outside by OpenSSL's client.

tls_posture.py BIN
Every protocol version and every suite that the client knows is offered alone: only 1.2 and 1.3 are taken, only suites with AEAD, forward secrecy and ECDSA. No session
ticket at the agents' port. The control is OpenSSL's own server with everything switched on: there the same offers are taken, and a ticket is given.
"""
import concurrent.futures
import contextlib
import pathlib
import re
import socket
import subprocess
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent / folder) for folder in ("faults", "e2e")]
from kill_loop import World, free_port  # noqa: E402
from tunnels import wait_for  # noqa: E402

GOOD = re.compile(r"ECDHE-ECDSA-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)|TLS_(AES_(128|256)_GCM_SHA(256|384)|CHACHA20_POLY1305_SHA256)")
OLD = ("-tls1", "-tls1_1")


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], input="", capture_output=True, text=True, timeout=60)


def suites(*words):
    return openssl("ciphers", *words).stdout.strip().split(":")


def taken(port, alpn, *offer):
    """The suite that a client of this offer is given, or nothing."""
    told = openssl("s_client", "-connect", f"127.0.0.1:{port}", "-alpn", alpn, *offer)
    found = re.search(r"^New, \S+, Cipher is (?!\(NONE\))(\S+)", told.stdout, re.MULTILINE)
    return found and found[1]


def offers():
    yield from ((version, "-cipher", "ALL:@SECLEVEL=0") for version in OLD)
    yield from (("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0") for suite in suites("-s", "-tls1_2", "ALL:eNULL:@SECLEVEL=0"))
    yield from (("-tls1_3", "-ciphersuites", suite) for suite in suites("-s", "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                                                                        "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256") if suite.startswith("TLS_"))


def look(port, alpn):
    """{offer: the suite} of what is taken."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = list(offers())
        given = dict(zip(asked, pool.map(lambda offer: taken(port, alpn, *offer), asked)))
    return {offer: suite for offer, suite in given.items() if suite}


def gives_ticket(port, alpn):
    """Of TLS 1.2, which gives one within the handshake if at all."""
    return "TLS session ticket:" in openssl("s_client", "-connect", f"127.0.0.1:{port}", "-alpn", alpn, "-tls1_2").stdout


@contextlib.contextmanager
def careless(folder):
    """The port of OpenSSL's server, which takes what a client may offer."""
    port = free_port()
    key, certificate = folder / "careless.key", folder / "careless.pem"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=careless", "-keyout", key, "-out", certificate)
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", certificate, "-cipher", "ALL:@SECLEVEL=0", "-quiet"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("the careless server", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        yield port
    finally:
        server.kill()
        server.wait()


def main():
    world = World(sys.argv[1])
    try:
        world.start("relay")
        world.wait_ready()
        with careless(world.dir) as port:
            control = look(port, "http/1.1")
            assert gives_ticket(port, "http/1.1"), "the control: a ticket"
        assert any(offer[0] in OLD for offer in control) and sum(not GOOD.fullmatch(suite) for suite in control.values()) > 10, f"the control: {control}"
        link = int(re.search(r"link:.*?listen:\s*\"?[\d.]+:(\d+)", (world.dir / "relay/relay.yaml").read_text(), re.DOTALL)[1])
        said = []
        for where, alpn in ((world.api, "http/1.1"), (link, "sallyport-enrol/1")):
            given = look(where, alpn)
            wrong = [f"{offer}: {suite}" for offer, suite in given.items() if offer[0] in OLD or not GOOD.fullmatch(suite)]
            assert not wrong, f"{alpn}: {wrong}"
            assert {"TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"} <= set(given.values()), given
            said.append(f"{alpn}: {', '.join(sorted(set(given.values())))}")
        assert not gives_ticket(link, "sallyport-enrol/1"), "a ticket at the agents' port"
    finally:
        world.close()
    print(f"TLS posture: of {len(list(offers()))} offers taken: {'; '.join(said)}; the careless server took {len(control)}")


if __name__ == "__main__":
    main()
