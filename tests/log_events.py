#!/usr/bin/env python3
"""Fails when the relay logs an error or a warning that no table of the docs tells of.

The tables are those of docs/operations and docs/keys.md: a row names the event in backquotes, alone or before its fields.
`log_events.py --self-test` plants an event that no row has, and takes a row away, and checks that both are found.
"""
import pathlib
import re
import sys

LOGGED = re.compile(r'log_?(?:\(\))?\.(?:warn|error)\(\s*"([a-z0-9_.]+)"')
NAMED = re.compile(r"`([a-z0-9_]+(?:\.[a-z0-9_]+)+)[` ]")


def logged_in(sources):
    return {event for text in sources for event in LOGGED.findall(text)}


def told_in(pages):
    return {event for text in pages for line in text.splitlines() if line.startswith("|") for event in NAMED.findall(line)}


def faults(sources, pages):
    events = logged_in(sources)
    return [f"no table of the docs has the log event {event}" for event in sorted(events - told_in(pages))] + ([] if events else ["no log event was found"])


def self_test(sources, pages):
    assert not faults(sources, pages), "the docs as they are must be without fault"
    assert faults([*sources, 'log_.error("disk.on_fire", {});'], pages) == ["no table of the docs has the log event disk.on_fire"]
    assert faults([*sources, 'parts_.log.warn(\n      "disk.on_fire");'], pages), "a name on the next line was not found"
    assert faults(sources, [page.replace("| `audit.failed`", "`audit.failed`") for page in pages]), "a row that went was not missed"
    assert faults([], pages), "no sources, no fault"
    print("4 planted faults, all found")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    sources = [path.read_text() for path in sorted((root / "relay").rglob("*.cc"))]
    pages = [path.read_text() for path in [*sorted((root / "docs/operations").glob("*.md")), root / "docs/keys.md"]]
    if sys.argv[1:] == ["--self-test"]:
        return self_test(sources, pages)
    found = faults(sources, pages)
    print("\n".join(found) or f"{len(logged_in(sources))} log events are in tables of the docs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
