#!/usr/bin/env python3
"""Fails when docs/promises.md names a test that is not there.

A line of its lists is a path in backquotes, then test cases in quotes, or none where the whole file or folder is meant.
`promises.py --self-test` plants a missing file and a renamed test case and checks that both are found.
"""
import pathlib
import re
import sys

ENTRY = re.compile(r"^- `(tests/[^`]+)`(.*)$")
CASE = re.compile(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')


def cases_of(text):
    return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', found)) for found in CASE.findall(text)}


def faults(root, promises):
    found, entries = [], 0
    for number, line in enumerate(promises.splitlines(), 1):
        if not (entry := ENTRY.match(line)):
            if line.startswith("- "):
                found.append(f"line {number}: names no test")
            continue
        entries += 1
        path = root / entry[1]
        if not path.exists():
            found.append(f"line {number}: there is no {entry[1]}")
            continue
        known = cases_of(path.read_text()) if path.suffix == ".cc" else set()
        found += [f'line {number}: {entry[1]} has no test "{name}"' for name in re.findall(r'"([^"]+)"', entry[2]) if name not in known]
    if not entries:
        found.append("no test is named at all")
    return found


def self_test(root, promises):
    assert not faults(root, promises), "the page as it is must be without fault"
    planted = {
        "a missing file": promises.replace("tests/faults/failover.py", "tests/faults/fail_over.py"),
        "a renamed test": promises.replace("every bit of a sealed field counts", "no bit of a sealed field counts"),
        "a line without a test": promises + "\n- everything else is fine too\n",
        "an empty page": "",
    }
    for what, text in planted.items():
        assert faults(root, text), f"not found: {what}"
    print(f"{len(planted)} planted faults, all found")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    promises = (root / "docs/promises.md").read_text()
    if sys.argv[1:] == ["--self-test"]:
        return self_test(root, promises)
    found = faults(root, promises)
    print("\n".join(found) or "every promise has its tests")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
