"""Servers that connectors are measured against, each as a process on loopback with files of its own."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.ports import free_port  # noqa: E402

USER = "bench"  # of servers that know users by name and password
PASSWORD = "throughput"


class Server:
    """A process that takes connections at `port` until close()."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.port = free_port()
        self.process = None

    def run(self, *words, **more):
        done = subprocess.run([str(word) for word in words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, **more)
        if done.returncode != 0:
            raise SystemExit(f"{words[0]}: {done.stdout}")
        return done.stdout

    def file(self, name, text, mode=0o644):
        path = self.dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def certificate(self):
        self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                 "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.dir / "key.pem", "-out", self.dir / "ca.pem")

    def start(self, *words):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{words[0]} did not start: {(self.dir / 'log').read_text()}")
            time.sleep(0.05)

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Mariadb(Server):
    def __init__(self, directory):
        super().__init__(directory)
        self.socket = self.dir / "socket"
        self.certificate()
        (self.dir / "data/mysql").mkdir(parents=True)
        options = ["--no-defaults", "--user=root", "--debug-no-sync", "--innodb-flush-log-at-trx-commit=0", "--performance-schema=OFF", "--skip-name-resolve",
                   f"--datadir={self.dir / 'data'}"]
        tables = "".join((pathlib.Path("/usr/share/mysql") / f"mysql_system_tables{part}.sql").read_text() for part in ("", "_data"))
        self.run("/usr/sbin/mariadbd", *options, "--bootstrap", input="use mysql;\n" + tables)
        self.start("/usr/sbin/mariadbd", *options, f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.socket}", f"--ssl-cert={self.dir / 'ca.pem'}",
                   f"--ssl-key={self.dir / 'key.pem'}")
        self.sql(f"create database bench; create user {USER}@127.0.0.1 identified by '{PASSWORD}'; grant all on bench.* to {USER}@127.0.0.1", database="mysql")

    def sql(self, text, database="bench"):
        return self.run("mariadb", "--no-defaults", "-S", self.socket, "-u", "root", "-BN", database, input=text)


class Sshd(Server):
    def __init__(self, directory):
        super().__init__(directory)
        self.files = self.dir / "files"
        self.files.mkdir()
        for name in ("host", "user"):
            self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / name)
        shutil.copy(self.dir / "user.pub", self.dir / "authorized_keys")
        self.host_key = " ".join((self.dir / "host.pub").read_text().split()[:2])
        self.file("known_hosts", f"[127.0.0.1]:{self.port} {self.host_key}\n")
        config = self.file("sshd_config", f"""
Port {self.port}
ListenAddress 127.0.0.1
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
HostKey {self.dir / "host"}
AuthorizedKeysFile {self.dir / "authorized_keys"}
Subsystem sftp internal-sftp
""")
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)  # Debian's sshd wants it; its service would make it
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", config)

    def user(self):
        return self.run("id", "-un").strip()


class Nginx(Server):
    """Gives and takes files below /files/ over TLS."""

    def __init__(self, directory):
        super().__init__(directory)
        self.files = self.dir / "files"
        for folder in (self.files, self.dir / "temp"):
            folder.mkdir()
            folder.chmod(0o777)
        self.certificate()
        config = self.file("nginx.conf", f"""
daemon off;
user root;
pid {self.dir}/pid;
error_log {self.dir}/error.log;
worker_processes 1;
events {{ }}
http {{
  access_log off;
  sendfile on;
  client_max_body_size 0;
  client_body_temp_path {self.dir}/temp;
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {self.dir}/ca.pem;
    ssl_certificate_key {self.dir}/key.pem;
    location /files/ {{ root {self.dir}; dav_methods PUT DELETE; }}
  }}
}}
""")
        self.start("nginx", "-c", config, "-e", self.dir / "start.log")


class Vsftpd(Server):
    """Knows a user of its own: in a mount namespace, where /etc has files of this server's."""

    def __init__(self, directory):
        super().__init__(directory)
        self.files = self.dir / "files"
        self.files.mkdir()
        self.files.chmod(0o777)
        (self.dir / "empty").mkdir()
        self.certificate()
        self.file("passwd", pathlib.Path("/etc/passwd").read_text() + f"{USER}:x:65533:65534::{self.files}:/bin/sh\n")
        secret = self.run("openssl", "passwd", "-6", "-stdin", input=PASSWORD + "\n").strip()
        self.file("shadow", pathlib.Path("/etc/shadow").read_text() + f"{USER}:{secret}:19000::::::\n", 0o600)
        self.file("pam.d/vsftpd", "auth required pam_unix.so nodelay\naccount required pam_permit.so\n")
        self.file("pam.d/other", "auth required pam_deny.so\n")
        config = self.file("vsftpd.conf", f"""listen=YES
listen_address=127.0.0.1
listen_port={self.port}
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
seccomp_sandbox=NO
pam_service_name=vsftpd
ssl_enable=YES
force_local_logins_ssl=YES
force_local_data_ssl=YES
require_ssl_reuse=YES
ssl_ciphers=HIGH
rsa_cert_file={self.dir}/ca.pem
rsa_private_key_file={self.dir}/key.pem
secure_chroot_dir={self.dir}/empty
""")
        self.start("unshare", "--mount", "--propagation", "private", "sh", "-c",
                   "for one in passwd shadow pam.d; do mount --bind $0/$one /etc/$one || exit 1; done; exec /usr/sbin/vsftpd $1", self.dir, config)
