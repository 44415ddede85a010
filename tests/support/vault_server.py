#!/usr/bin/python3
"""HashiCorp Vault's Transit engine (v1/<mount>/encrypt and decrypt) for tests, as strict and as lenient as the real one.

vault_server.py FOLDER: see key_server.py. Mount "transit" in no namespace, mount "keys/transit" in the namespace "team/a"; in each the
keys "main" (at its third version) and "other", of random bytes that are kept in FOLDER. Modes of its own:
  sealed   Vault is sealed                        revoked  the token is
  too_old  the version of the key that wrapped is below min_decryption_version
"""
import base64
import json
import os
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import key_server

TOKEN = "hvs.token-of-the-test"
MOUNTS = {None: "transit", "team/a": "keys/transit"}
VERSIONS = {"main": 3, "other": 1}


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.value = status, {"errors": [message]}


def lenient_base64(text):
    """As Go's decoder: no characters from elsewhere, but whatever is left of the last one's bits."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(400, "invalid ciphertext: could not decode base64") from None


class Transit(key_server.Handler):
    def answer(self, body, control):
        try:
            mode = control.get("mode")
            if mode == "sealed":
                raise Refused(503, "Vault is sealed")
            call, key = self.route()
            if self.headers.get("X-Vault-Token") != TOKEN or mode == "revoked":
                raise Refused(403, "permission denied")
            data = call(key, json.loads(body), mode)
            return 200, {"request_id": "00000000-0000-0000-0000-000000000000", "lease_id": "", "renewable": False, "lease_duration": 0,
                         "data": data, "wrap_info": None, "warnings": None, "auth": None, "mount_type": "transit"}
        except Refused as refused:
            return refused.status, refused.value

    def route(self):
        mount = MOUNTS.get(self.headers.get("X-Vault-Namespace"))
        for name, call in (("encrypt", self.encrypt), ("decrypt", self.decrypt)):
            prefix = f"/v1/{mount}/{name}/"
            if mount and self.path.startswith(prefix):
                return call, self.path[len(prefix):]
        raise Refused(404, f"no handler for route {self.path[4:]!r}. route entry not found.")

    def cipher(self, key, version):
        file = self.folder / f"{key}.{version}"
        if not file.exists():
            file.write_bytes(os.urandom(32))
        return AESGCM(file.read_bytes())

    def encrypt(self, key, request, _):
        if key not in VERSIONS:  # the policy allows to use keys, not to make them
            raise Refused(403, "permission denied")
        nonce, version = os.urandom(12), VERSIONS[key]
        sealed = nonce + self.cipher(key, version).encrypt(nonce, lenient_base64(request["plaintext"]), None)
        return {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}", "key_version": version}

    def decrypt(self, key, request, mode):
        if key not in VERSIONS:
            raise Refused(400, "encryption key not found")
        prefix, _, rest = request["ciphertext"].partition(":v")
        version, _, text = rest.partition(":")
        if prefix != "vault" or not version.isdigit():
            raise Refused(400, "invalid ciphertext: no prefix")
        version = int(version) or 1  # Vault's first keys were counted from 0
        if version > VERSIONS[key]:
            raise Refused(400, "invalid ciphertext: version is too new")
        if mode == "too_old":
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        sealed = lenient_base64(text)
        if len(sealed) < 28:
            raise Refused(400, "invalid ciphertext length")
        try:
            return {"plaintext": base64.b64encode(self.cipher(key, version).decrypt(sealed[:12], sealed[12:], None)).decode()}
        except InvalidTag:
            raise Refused(400, "cipher: message authentication failed") from None


if __name__ == "__main__":
    sys.exit(key_server.serve(Transit, key_server.parser(__doc__.splitlines()[0]).parse_args()))
