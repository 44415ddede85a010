#!/usr/bin/python3
"""AWS KMS's Encrypt and Decrypt (API of 2014-11-01, JSON 1.1) for tests, with signatures that are really verified.

kms_server.py FOLDER: see key_server.py. Two keys, "main" and "other" below, of random bytes that are kept in FOLDER. Modes of its own:
  disabled   the key is disabled                  deleting   ... or about to be deleted
  denied     the caller may not use it            throttled  too many calls
"""
import base64
import datetime
import hashlib
import hmac
import json
import os
import re
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import key_server

REGION = "eu-central-1"
ACCOUNT = f"arn:aws:kms:{REGION}:111122223333"
KEYS = {"main": "1234abcd-12ab-34cd-56ef-1234567890ab", "other": "0987dcba-09fe-87dc-65ba-ab0987654321"}
# Access key id -> secret access key, session token: lasting credentials have none.
CREDENTIALS = {"AKIATESTONLY": ("secret-access-key-of-the-test", None), "ASIATESTONLY": ("temporary-secret-of-the-test", "session-token-of-the-test")}
WINDOW = datetime.timedelta(minutes=5)
AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/kms/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})")
MUST_BE_SIGNED = {"content-type", "host", "x-amz-date", "x-amz-target"}


class Refused(Exception):
    def __init__(self, name, message="", status=400):
        super().__init__(name)
        self.status, self.value = status, {"__type": name, "message": message}


def hmac_of(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def check_signature(headers, path, body):
    """Raises Refused unless the request is one that AWS would let in."""
    parts = AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    if not parts:
        raise Refused("IncompleteSignature", "Authorization header requires existence of its parts")
    access_key, day, region, names, signature = parts.groups()
    secret, token = CREDENTIALS.get(access_key, (None, None))
    if secret is None or headers.get("X-Amz-Security-Token") != token:
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    names = names.split(";")
    if names != sorted(names) or not MUST_BE_SIGNED | ({"x-amz-security-token"} if token else set()) <= set(names):
        raise Refused("InvalidSignatureException", "a header that must be signed is not")
    date = headers["X-Amz-Date"]
    canonical = "\n".join(["POST", path, "", *(f"{name}:{' '.join(headers[name].split())}" for name in names), "", ";".join(names),
                           hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/kms/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = hmac_of(hmac_of(hmac_of(hmac_of(b"AWS4" + secret.encode(), day), REGION), "kms"), "aws4_request")
    if not hmac.compare_digest(hmac_of(key, to_sign).hex(), signature) or region != REGION or not date.startswith(day):
        raise Refused("InvalidSignatureException", f"The Canonical String for this request should have been\n'{canonical}'")
    now = datetime.datetime.utcnow()
    if abs(datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ") - now) > WINDOW:
        raise Refused("InvalidSignatureException", f"Signature expired: {date} is now earlier than {now:%Y%m%dT%H%M%SZ}")


def key_named(name):
    for alias, key in KEYS.items():
        if name in (key, f"{ACCOUNT}:key/{key}", f"alias/{alias}", f"{ACCOUNT}:alias/{alias}"):
            return key
    raise Refused("NotFoundException", f"Invalid keyId {name!r}")


class Kms(key_server.Handler):
    content_type = "application/x-amz-json-1.1"

    def answer(self, body, control):
        try:
            check_signature(self.headers, self.path, body)
            request = json.loads(body)
            self.check_state(control.get("mode"))
            call = {"TrentService.Encrypt": self.encrypt, "TrentService.Decrypt": self.decrypt}[self.headers["X-Amz-Target"]]
            context = request["EncryptionContext"]
            assert list(context) == ["sallyport-purpose"], context
            return 200, call(request, json.dumps(context, sort_keys=True).encode())
        except Refused as refused:
            return refused.status, refused.value

    def check_state(self, mode):
        arn = f"{ACCOUNT}:key/{KEYS['main']}"
        states = {"disabled": ("DisabledException", f"{arn} is disabled."), "deleting": ("KMSInvalidStateException", f"{arn} is pending deletion."),
                  "denied": ("com.amazonaws.kms#AccessDeniedException", f"User: somebody is not authorized to perform kms:Decrypt on resource: {arn}"),
                  "throttled": ("ThrottlingException", "Rate exceeded")}
        if mode in states:
            raise Refused(*states[mode])

    def secret(self, key):
        return AESGCM((self.folder / key).read_bytes())

    def encrypt(self, request, context):
        key, nonce = key_named(request["KeyId"]), os.urandom(12)
        sealed = self.secret(key).encrypt(nonce, base64.b64decode(request["Plaintext"], validate=True), context)
        return {"CiphertextBlob": base64.b64encode(key.encode() + nonce + sealed).decode(), "KeyId": f"{ACCOUNT}:key/{key}",
                "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}

    def decrypt(self, request, context):
        blob = base64.b64decode(request["CiphertextBlob"], validate=True)
        key, nonce, sealed = blob[:36].decode("latin-1"), blob[36:48], blob[48:]
        if key not in KEYS.values() or len(nonce) != 12:
            raise Refused("InvalidCiphertextException")
        if key_named(request["KeyId"]) != key:
            raise Refused("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
        try:
            plain = self.secret(key).decrypt(nonce, sealed, context)
        except InvalidTag:
            raise Refused("InvalidCiphertextException") from None
        return {"KeyId": f"{ACCOUNT}:key/{key}", "Plaintext": base64.b64encode(plain).decode(), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def main():
    arguments = key_server.parser(__doc__.splitlines()[0]).parse_args()
    for key in KEYS.values():
        if not (arguments.folder / key).exists():
            (arguments.folder / key).write_bytes(os.urandom(32))
    key_server.serve(Kms, arguments)


if __name__ == "__main__":
    sys.exit(main())
