#!/usr/bin/python3
"""A mail server on loopback that keeps each message it takes as a file FOLDER/N.eml, the envelope as its first lines.

smtp_server.py FOLDER PORT starttls|tls|none CERTIFICATE KEY [USER PASSWORD]   by aiosmtpd
smtp_server.py FOLDER PORT broken WHERE   a plain one that stops in the middle: `silent` greets nobody, `gone` closes in
                                          the middle of a message, `mute` takes a whole message and answers nothing,
                                          `slow` stops in its middle until FOLDER/go is there, then reads on and says
                                          in FOLDER/ended whether the message was `whole` or `cut`
"""
import pathlib
import socket
import ssl
import sys
import threading
import time
import warnings


class Keeper:
    def __init__(self, folder):
        self.folder, self.count = pathlib.Path(folder), 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user, c4n4ry"
        if address.startswith("later@"):
            return "451 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        head = f"X-From: {envelope.mail_from}\r\nX-To: {','.join(envelope.rcpt_tos)}\r\n"
        if b"refuse this" in envelope.content:
            return "554 refused"
        part = self.folder / f"{self.count}.part"
        part.write_bytes(head.encode() + envelope.original_content)
        part.rename(self.folder / f"{self.count}.eml")
        return "250 taken"


def serve(folder, port, security, certificate, key, login):
    import asyncio
    import logging
    from aiosmtpd.smtp import SMTP, AuthResult

    warnings.simplefilter("ignore")  # a test may log in without TLS
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def check(server, session, envelope, mechanism, data):
        good = login and (data.login, data.password) == tuple(word.encode() for word in login)
        return AuthResult(success=bool(good), handled=False)

    keeper = Keeper(folder)

    def protocol():
        return SMTP(keeper, hostname="localhost", require_starttls=security == "starttls", authenticator=check,
                    auth_required=bool(login), auth_require_tls=False, data_size_limit=1 << 30,
                    tls_context=context if security == "starttls" else None)

    async def run():
        server = await asyncio.get_running_loop().create_server(
            protocol, "127.0.0.1", port, ssl=context if security == "tls" else None)
        await server.serve_forever()

    logging.disable()
    asyncio.run(run())


def break_off(folder, port, where):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=speak, args=(folder, peer, where), daemon=True).start()


def speak(folder, peer, where):
    if where == "silent":
        return peer.recv(1)
    lines = peer.makefile("rb")
    peer.sendall(b"220 broken\r\n")
    for line in lines:
        word = line[:4].upper()
        if word == b"DATA":
            peer.sendall(b"354 go on\r\n")
            break
        peer.sendall(b"250 OK\r\n")
    if where == "slow":
        lines.read(100_000)
        while not pathlib.Path(folder, "go").exists():
            time.sleep(0.01)
        ended = b"\r\n.\r\n" in lines.read()
        return pathlib.Path(folder, "ended").write_text("whole" if ended else "cut")
    taken = 0
    for line in lines:
        taken += len(line)
        if where == "gone" and taken > 100_000:
            return peer.shutdown(socket.SHUT_RDWR)
        if line == b".\r\n":
            break
    peer.recv(1)  # until the other side has enough


def main():
    folder, port, way = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if way == "broken":
        break_off(folder, port, sys.argv[4])
    else:
        serve(folder, port, way, sys.argv[4], sys.argv[5], sys.argv[6:8])


if __name__ == "__main__":
    main()
