#!/usr/bin/env python3
"""An FTP server on TLS for one test each: one that speaks MLSD, or does what no server should.

hostile_ftps.py MODE PORT_FILE LOG CERTIFICATE KEY

Modes: mlsd (a server with MLST and MLSD), windows (LIST as Windows writes it), slash, nul, endless, long_line (what it
lists), nonsense (a listing of no form), flood (an answer without end), no_tls (AUTH is refused), clear_data (PROT P is
refused), inject (answers in clear text behind the one to AUTH), no_path (PWD gives none), lost (DELE and RNTO are done, and
not answered), full (its disk), no_replace (RNTO over a file is refused).
The log has every command that came.
"""
import os
import socket
import ssl
import sys
import threading

MODE, PORT_FILE, LOG, CERTIFICATE, KEY = sys.argv[1:]
FACTS = b"type=cdir;modify=20260101000000; .\r\ntype=dir;modify=20260101000000; sub\r\n" \
        b"type=OS.unix=slink:/etc;modify=20260101000000; link\r\n"
FILE = b"Type=file;Size=%d;Modify=20260102030405.5;UNIX.mode=0644; %s\r\n"
LISTINGS = {
    "windows": b"01-31-26  09:24AM       <DIR>          sub\r\n01-31-26  09:24AM                    3 a b.txt\r\n",
    "nul": FILE % (1, b"a\0b"),
    "slash": FILE % (1, b"../../etc/passwd"),
    "nonsense": b"what you see is what you get\r\n",
}
files = {"a.txt": b"abc", ".hidden": b"x"}
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)


class Session:
    def __init__(self, connection):
        self.connection, self.passive, self.renaming = connection, None, None

    def say(self, text):
        self.connection.sendall((text + "\r\n").encode())

    def run(self):
        self.say("220 ready")
        buffer = b""
        while True:
            while b"\r\n" not in buffer:
                more = self.connection.recv(4096)
                if not more:
                    return
                buffer += more
            line, buffer = buffer.split(b"\r\n", 1)
            with open(LOG, "ab") as log:
                log.write(line + b"\n")
            verb, _, rest = line.decode().partition(" ")
            if getattr(self, "on_" + verb.lower(), self.on_other)(rest) == "end":
                return

    def on_other(self, _):
        self.say("502 not here")

    def on_auth(self, _):
        if MODE == "no_tls":
            return self.say("502 no")
        self.say("234 go on" + ("\r\n230 you are in" if MODE == "inject" else ""))
        self.connection = context.wrap_socket(self.connection, server_side=True)

    def on_user(self, _):
        self.say("331 and")

    def on_pass(self, _):
        self.say("230 in")

    def on_pbsz(self, _):
        self.say("200 ok")

    on_type = on_cwd = on_opts = on_pbsz

    def on_prot(self, _):
        self.say("536 no" if MODE == "clear_data" else "200 ok")

    def on_pwd(self, _):
        self.say("257 somewhere" if MODE == "no_path" else '257 "/" is where you are')

    def on_feat(self, _):
        self.say("211-Features:")
        while MODE == "flood":
            self.say(" more" * 100)
        if MODE != "windows":
            self.say(" MLST type*;size*;modify*;")
        self.say("211 End")

    def on_epsv(self, _):
        self.passive = socket.create_server(("127.0.0.1", 0))
        self.say("229 here (|||%d|)" % self.passive.getsockname()[1])

    def data(self):
        connection, _ = self.passive.accept()
        self.passive.close()
        return context.wrap_socket(connection, server_side=True)

    def send(self, pieces):
        self.say("150 coming")
        channel = self.data()
        for piece in pieces:
            channel.sendall(piece)
        channel.unwrap()
        channel.close()
        self.say("226 done")

    def listing(self):
        if MODE in LISTINGS:
            yield LISTINGS[MODE]
            return
        number = 0
        while MODE == "endless":
            number += 1
            yield b"".join(FILE % (1, b"%09d" % (number * 100 + i)) for i in range(100))
        while MODE == "long_line":
            yield b"x" * 4096
        yield FACTS + b"".join(FILE % (len(content), name.encode()) for name, content in sorted(files.items()))

    def on_mlsd(self, _):
        self.send(self.listing())

    def on_list(self, _):
        self.send(self.listing())

    def on_mlst(self, path):
        name = path.strip("/")
        if name not in files:
            return self.say("550 not here")
        self.say("250-Facts\r\n " + (FILE % (len(files[name]), path.encode())).decode() + "250 End")

    def on_size(self, path):
        name = path.strip("/")
        self.say("213 %d" % len(files[name]) if name in files else "550 not here")

    def on_mdtm(self, _):
        self.say("213 20260102030405")

    def on_retr(self, path):
        self.send([files[path.strip("/")]])

    def on_stor(self, path):
        self.say("150 go")
        channel, content = self.data(), b""
        while more := channel.recv(65536):
            content += more
        channel.close()
        files[path.strip("/")] = content
        self.say("452 full" if MODE == "full" else "226 done")

    def on_dele(self, path):
        files.pop(path.strip("/"), None)
        if MODE == "lost":
            return "end"
        self.say("250 gone")

    def on_rnfr(self, path):
        self.renaming = path.strip("/")
        self.say("350 to")

    def on_rnto(self, path):
        name = path.strip("/")
        if MODE == "no_replace" and name in files:
            return self.say("553 taken")
        files[name] = files.pop(self.renaming)
        if MODE == "lost":
            return "end"
        self.say("250 renamed")


def serve(connection):
    session = Session(connection)
    try:
        session.run()
    except (OSError, ValueError):
        pass
    finally:
        session.connection.close()


listener = socket.create_server(("127.0.0.1", 0))
with open(PORT_FILE + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(PORT_FILE + ".new", PORT_FILE)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
