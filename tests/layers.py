#!/usr/bin/env python3
"""Fails when an #include crosses a folder arrow that must not exist.

The allowed arrows are the USES of cmake/modules.cmake (transitively), so that there is one list; the rules for foreign headers
are below. `layers.py --self-test` plants faults and checks that each is found.
"""
import pathlib
import re
import sys
import tempfile

# header pattern -> folders that may include it
ONLY_IN = {
    r"boost/beast": ["shared/http", "agent/link"],
    r"boost/asio/ssl": ["shared/http"],
    r"openssl/ssl\.h": ["shared/tls", "shared/http"],
    r"sqlite3\.h": ["relay/store/sqlite", "agent/journal", "agent/connectors/sql"],
    r"(ldap|lber)\.h": ["agent/connectors/ldap"],
    r"libpq-fe\.h": ["relay/store/postgres", "agent/connectors/sql"],
    r"^mysql\.h": ["agent/connectors/sql"],
    r"curl/curl\.h": ["relay/cli", "relay/outbound", "agent/connectors"],
    r"^amqp(_framing)?\.h": ["agent/connectors/amqp"],
    r"^librdkafka/": ["agent/connectors/kafka"],
    r"^expat\.h": ["agent/connectors/xml"],
    r"^zlib\.h": ["agent/connectors/archive"],
    r"^zstd(_errors)?\.h": ["agent/connectors/archive"],
    r"p11-kit/": ["relay/keys/providers"],
    r"yaml\.h": ["shared/recipe"],
    r"Catch2|catch2/": ["tests"],
}
# What the agent asks of the operating system stands in *_posix files, so that it can be built for another one.
POSIX = re.compile(r"(unistd|poll|fcntl|termios|pwd|grp|signal|dirent|netdb|sched|pthread|dlfcn|spawn|syslog|glob|fnmatch|strings)\.h$|(sys|arpa|netinet|net|linux)/")
NEVER_IN_HEADERS = r"nlohmann/json\.hpp"
NEVER = [  # (from, to): not even through a detour
    ("shared/", "agent/"), ("shared/", "relay/"), ("agent/", "relay/"), ("relay/", "agent/"),
    ("relay/domain", "boost/asio"), ("relay/domain", "relay/store"), ("relay/store", "relay/api"), ("relay/store", "shared/http"),
    ("relay/store/sqlite", "relay/store/postgres"), ("relay/store/postgres", "relay/store/sqlite"),
    ("agent/connectors", "agent/link"),
]
MODULE = re.compile(r"sallyport_module\((\S+)(?:\s+USES\s+([^)]*))?\)")
INCLUDE = re.compile(r'\s*#\s*include\s+[<"]([^>"]+)[>"]')


def read_arrows(root):
    direct = {}
    for folder, uses in MODULE.findall((root / "cmake/modules.cmake").read_text()):
        direct[folder] = [u for u in (uses or "").split() if "/" in u]

    def reach(folder, seen):
        for use in direct.get(folder, []):
            if use not in seen:
                seen.add(use)
                reach(use, seen)
        return seen

    return {folder: reach(folder, set()) for folder in direct}


def home_of(path, arrows):
    homes = [f for f in arrows if str(path.parent) == f]
    return homes[0] if homes else None


def faults_in(root):
    arrows = read_arrows(root)
    found = []
    for folder in ("shared", "agent", "relay"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            path = file.relative_to(root)
            home = home_of(path, arrows)
            if home is None:
                found.append(f"{path}: its folder is not declared in cmake/modules.cmake")
                continue
            for number, line in enumerate(file.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if match:
                    found += [f"{path}:{number}: {why}" for why in faults_of(path, home, match[1], arrows)]
    return found


def faults_of(path, home, include, arrows):
    target = str(pathlib.PurePosixPath(include).parent)
    if re.match(r"(shared|relay|agent|tests)/", include):
        if include.startswith("tests/"):
            yield "product code must not include tests"
        elif target != home and target not in arrows[home]:
            yield f"{home} must not include {include} (no arrow {home} -> {target} in cmake/modules.cmake)"
    for source, forbidden in NEVER:
        if str(path).startswith(source) and include.startswith(forbidden):
            yield f"{source} must never include {forbidden}"
    for pattern, homes in ONLY_IN.items():
        if re.match(pattern, include) and not any(home == h or home.startswith(h + "/") for h in homes):
            yield f"{include} is only for {', '.join(homes)}"
    if home.startswith(("agent/", "shared/")) and POSIX.match(include) and not path.stem.endswith("_posix"):
        yield f"{include} is only for *_posix.cc and *_posix.h"
    if path.suffix == ".h" and re.match(NEVER_IN_HEADERS, include):
        yield f"{include} must not be in a header"


def self_test(root):
    planted = {
        "shared/base/bad.h": "relay/store/store.h", "agent/runner/bad.cc": "relay/api/registry.h", "relay/domain/bad.cc": "boost/asio/awaitable.hpp",
        "relay/api/bad.cc": "boost/beast/http.hpp", "agent/link/bad.cc": "openssl/ssl.h", "relay/jobs/bad.cc": "sqlite3.h",
        "shared/base/json_bad.h": "nlohmann/json.hpp", "relay/store/sqlite/bad.cc": "shared/http/types.h", "agent/app/bad.cc": "tests/support/async_test.h",
        "agent/connectors/sql/bad.cc": "poll.h", "agent/platform/bad.h": "sys/stat.h", "shared/base/bad.cc": "unistd.h", "agent/runner/posix_bad.cc": "signal.h",
        "relay/keys/bad.cc": "curl/curl.h", "relay/jobs/bad.cc": "p11-kit/pkcs11.h",
    }
    missed = []
    for name, include in planted.items():
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder)
            (copy / "cmake").mkdir()
            (copy / "cmake/modules.cmake").write_text((root / "cmake/modules.cmake").read_text())
            (copy / name).parent.mkdir(parents=True)
            (copy / name).write_text(f'#include "{include}"\n')
            if not faults_in(copy):
                missed.append(name)
    return [f"planted fault not found: {name} includes {planted[name]}" for name in missed]


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found = self_test(root) if "--self-test" in sys.argv else faults_in(root)
    print("\n".join(found) if found else "layers: every arrow is allowed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
