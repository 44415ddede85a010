#!/usr/bin/python3
"""S3's PutObject, GetObject and DeleteObject for tests, path-style and virtual host, with signatures that are really verified.

s3_server.py FOLDER: see key_server.py. One bucket, "archive"; its objects are files in FOLDER/objects. Each answered request is a line of FOLDER/requests: method, path,
status, code. Modes of its own:
  revoked    the credentials are not valid any more      denied      ... or may not do this
  no_bucket  there is no bucket                          slow_down   too many requests
  proxy      404 without a code of S3's
  cut        an upload is stored, and the connection ends without an answer
"""
import datetime
import hashlib
import hmac
import re
import subprocess
import time
import urllib.parse

import key_server

REGION, BUCKET = "eu-central-1", "archive"
# Access key id -> secret access key, session token: lasting credentials have none.
CREDENTIALS = {"AKIATESTONLY": ("secret-access-key-of-the-test", None), "ASIATESTONLY": ("temporary-secret-of-the-test", "session-token-of-the-test")}
WINDOW = datetime.timedelta(minutes=15)
AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})")
MUST_BE_SIGNED = {"host", "x-amz-content-sha256", "x-amz-date"}
MODES = {"revoked": (403, "InvalidAccessKeyId"), "denied": (403, "AccessDenied"), "no_bucket": (404, "NoSuchBucket"), "slow_down": (503, "SlowDown"), "proxy": (404, "")}


class Refused(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


def hmac_of(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def check_signature(method, headers, path, body):
    """Raises Refused unless the request is one that S3 would let in."""
    parts = AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    if not parts:
        raise Refused(403, "AccessDenied")
    access_key, day, region, names, signature = parts.groups()
    secret, token = CREDENTIALS.get(access_key, (None, None))
    if secret is None or headers.get("X-Amz-Security-Token") != token:
        raise Refused(403, "InvalidAccessKeyId")
    if region != REGION:
        raise Refused(400, "AuthorizationHeaderMalformed")
    names = names.split(";")
    if names != sorted(names) or not MUST_BE_SIGNED | ({"x-amz-security-token"} if token else set()) <= set(names):
        raise Refused(403, "AccessDenied")
    digest = headers["X-Amz-Content-Sha256"]
    if digest != hashlib.sha256(body).hexdigest():  # UNSIGNED-PAYLOAD is not taken either
        raise Refused(400, "XAmzContentSHA256Mismatch")
    date = headers["X-Amz-Date"]
    canonical = "\n".join([method, urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~"), "",
                           *(f"{name}:{' '.join(headers[name].split())}" for name in names), "", ";".join(names), digest])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, f"{day}/{region}/s3/aws4_request", hashlib.sha256(canonical.encode()).hexdigest()])
    key = hmac_of(hmac_of(hmac_of(hmac_of(b"AWS4" + secret.encode(), day), REGION), "s3"), "aws4_request")
    if not hmac.compare_digest(hmac_of(key, to_sign).hex(), signature) or not date.startswith(day):
        raise Refused(403, "SignatureDoesNotMatch")
    if abs(datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ") - datetime.datetime.utcnow()) > WINDOW:
        raise Refused(403, "RequestTimeTooSkewed")


class S3(key_server.Handler):
    content_type = "application/xml"

    def file(self):
        """Of the object that the request names: the bucket is the first part of the host or of the path."""
        path = urllib.parse.unquote(self.path)
        bucket, rest = (BUCKET, path) if self.headers["Host"].startswith(BUCKET + ".") else path[1:].partition("/")[::2]
        if bucket != BUCKET:
            raise Refused(404, "NoSuchBucket")
        name = rest.strip("/")
        if not name or ".." in name.split("/"):
            raise Refused(400, "InvalidURI")
        return self.folder / "objects" / name

    def perform(self, method, body, mode):
        if mode in MODES:
            raise Refused(*MODES[mode])
        check_signature(method, self.headers, self.path, body)
        file = self.file()
        if method == "PUT":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            return 200, b""
        if method == "DELETE":
            file.unlink(missing_ok=True)
            return 204, b""
        if not file.exists():
            raise Refused(404, "NoSuchKey")
        return 200, file.read_bytes()

    def serve(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        control = self.control()
        mode = control.get("mode", "normal")
        if mode == "delay":
            time.sleep(control["seconds"])
        if mode == "endless":
            return self.flood()
        code = ""
        try:
            status, answer = self.perform(method, body, mode)
        except Refused as refused:
            status, code = refused.status, refused.code
            answer = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>refused</Message></Error>'.encode()
        with open(self.folder / "requests", "a") as told:
            told.write(f"{method} {self.path} {status} {code}\n")
        if mode in ("drop", "cut"):
            self.close_connection = True
            return None
        return self.reply(status, answer)

    def do_PUT(self):
        self.serve("PUT")

    def do_GET(self):
        self.serve("GET")

    def do_DELETE(self):
        self.serve("DELETE")


def make_certificate(folder):
    if not (folder / "ca.pem").exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=bucket of a test", "-addext", f"subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:{BUCKET}.localhost",
                        "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], check=True, capture_output=True)


def main():
    arguments = key_server.parser(__doc__).parse_args()
    make_certificate(arguments.folder)
    key_server.serve(S3, arguments)


if __name__ == "__main__":
    main()
