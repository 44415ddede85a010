#!/usr/bin/env python3
"""Fails when the relay logs an error or a warning that no table of the docs tells of.

The tables are those of docs/operations and docs/keys.md: the first cell of a row names the event in backquotes, alone or
before its fields. A name that is no literal where it is logged cannot be seen: UNSEEN has the places that may do so.
`log_events.py --self-test` plants a fault of each kind and checks that all are found.
"""
import pathlib
import re
import sys

LOGS = r"log_?(?:\(\))?(?:\.|->)(?:warn|error)\(\s*+"
LOGGED = re.compile(LOGS + r'"([a-z0-9_.]+)"\s*[,)]')
NOT_LITERAL = re.compile(LOGS + r'(?!"[a-z0-9_.]+"\s*[,)])([^,;)]*)')
TROUBLE = re.compile(r'Trouble::Events\b(?:\s*\w*\s*\{\s*"([a-z0-9_.]+)")?')  # what failed; that it works again is no warning
NAMED = re.compile(r"`([a-z0-9_]+(?:\.[a-z0-9_]+)+)[` ]")
UNSEEN = {"events_.failed"}  # relay/keys/trouble.cc: the names are those of its Trouble::Events


def logged_in(sources):
    return {event for text in sources for pattern in (LOGGED, TROUBLE) for event in pattern.findall(text) if event}


def unseen_in(sources):
    places = {place.strip() for text in sources for place in NOT_LITERAL.findall(text)} - UNSEEN
    return places | {"Trouble::Events" for text in sources if "" in TROUBLE.findall(text)}


def told_in(pages):
    rows = [line.split("|")[1] for text in pages for line in text.splitlines() if line.startswith("|")]
    return {event for first in rows for event in NAMED.findall(first)}


def faults(sources, pages):
    events = logged_in(sources)
    found = [f"no table of the docs has the log event {event}" for event in sorted(events - told_in(pages))]
    found += [f"the name of a log event is no literal: {place}" for place in sorted(unseen_in(sources))]
    return found + ([] if events else ["no log event was found"])


def self_test(sources, pages):
    assert not faults(sources, pages), "the docs as they are must be without fault"
    assert faults([*sources, 'log_.error("disk.on_fire", {});'], pages) == ["no table of the docs has the log event disk.on_fire"]
    assert faults(sources, [*pages, "| a | `disk.on_fire` |"]) == [], "a row about something else does no harm"

    def without(event):
        return [page.replace(f"| `{event}`", f"| a | `{event}`") for page in pages]

    planted = {
        "a name on the next line": ([*sources, 'parts_.log.warn(\n      "disk.on_fire");'], pages),
        "a name behind a pointer": ([*sources, 'log->warn("disk.on_fire");'], pages),
        "an event named in a second cell alone": ([*sources, 'log_.error("disk.on_fire");'], [*pages, "| a | `disk.on_fire` |"]),
        "a row that went": (sources, [page.replace("| `audit.failed`", "`audit.failed`") for page in pages]),
        "a row of what Trouble logs, that went": (sources, without("master_key.failed")),
        "a row of what a constant of Trouble has, that went": (sources, without("organisation_key.failed")),
        "a name in a variable": ([*sources, "log_.warn(name, {});"], pages),
        "one of two names": ([*sources, 'log.error(bad ? "disk.on_fire" : "disk.full");'], pages),
        "a name that is put together": ([*sources, 'log.warn("disk." + what, {});'], pages),
        "events of Trouble in variables": ([*sources, "Trouble::Events{failed, works}"], pages),
        "no sources": ([], pages),
    }
    for what, (code, docs) in planted.items():
        assert faults(code, docs), f"not found: {what}"
    print(f"{len(planted) + 1} planted faults, all found")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    folders = ("relay", "shared/http")  # its web edge
    sources = [path.read_text() for folder in folders for path in sorted((root / folder).rglob("*")) if path.suffix in (".cc", ".h")]
    pages = [path.read_text() for path in [*sorted((root / "docs/operations").glob("*.md")), root / "docs/keys.md"]]
    if sys.argv[1:] == ["--self-test"]:
        return self_test(sources, pages)
    found = faults(sources, pages)
    print("\n".join(found) or f"{len(logged_in(sources))} log events are in tables of the docs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
