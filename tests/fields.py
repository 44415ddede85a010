#!/usr/bin/env python3
"""Fails when the sources and the tables of classified fields disagree.

Fields of log lines: shared/base/log_fields.h has their classes. The writer masks what is not there; this test says so before anybody
misses it, and names what is there and in no line. Fields are string literals in the braces of a call such as
log.info("link.lost", {{"reason", why}}).
Sealed fields: what the functions that give a RecordIdentity name as table and column, and what relay/domain/fields.cc says is sealed.
`fields.py --self-test` plants faults and checks that each is found.
"""
import pathlib
import re
import sys
import tempfile

LOG_TABLE = "shared/base/log_fields.h"
FIELD_TABLE = "relay/domain/fields.cc"
CLASSIFIED = re.compile(r'\{\s*"([^"]+)",\s*FieldClass::(\w+),\s*"[^"]+"\s*\}')
CALL = re.compile(r"\b\w*[lL]og_?(?:\(\))?(?:\.|->)(?:debug|info|warn|error)\(")
MADE_ELSEWHERE = re.compile(r"\b(?:LogField|Log::Fields)\b")
FIELD = re.compile(r'\{\s*"([^"]*)"\s*,')
HOMES_OF_THE_TYPE = {"shared/base/log.h", "shared/base/log.cc", LOG_TABLE}
SEALED = re.compile(r'\bsealed,\s*\w+,\s*"(\w+\.\w+)"')
IDENTITY = re.compile(r"RecordIdentity (\w+)\([^)]*\) \{([^}]*\};?)")
IDENTITY_IN_PASSING = re.compile(r"(?<!struct )\bRecordIdentity(?: \w+)?\s*\{")
IN_NO_DATABASE = {"archive.record"}  # relay/archive
NAMED = re.compile(r'return \{[\w.]+, "(\w+)", (?:"(\w+)"|std::string\((\w+)\)),')


def closing(text, start):
    """Where the bracket before `start` closes; brackets in string literals do not count."""
    depth, at = 1, start
    while at < len(text) and depth:
        if text[at] == '"':
            at += 1
            while text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(text[at], 0)
        at += 1
    return at - 1


def groups_of(fields):
    """The groups {name, value} of "{{...}, {...}}"; None when it is anything else."""
    if not fields.startswith("{") or closing(fields, 1) != len(fields) - 1:
        return None
    groups, at = [], 1
    while at < len(fields) - 1:
        if fields[at] == "{":
            end = closing(fields, at + 1)
            groups.append(fields[at:end + 1])
            at = end
        elif fields[at] not in " \n,":
            return None
        at += 1
    return groups


def logged_names(text):
    """The line and name of each field of each call; the name is None when it is no literal."""
    for call in CALL.finditer(text):
        inside = text[call.end():closing(text, call.end())]
        line = text.count("\n", 0, call.start()) + 1
        comma = inside.find(",")
        if comma < 0:
            continue
        groups = groups_of(inside[comma + 1:].strip())
        if groups is None:
            yield line, None
        for group in groups or []:
            literal = FIELD.match(group)
            yield line, literal.group(1) if literal else None
    for made in MADE_ELSEWHERE.finditer(text):
        yield text.count("\n", 0, made.start()) + 1, None


def sources(root, *folders):
    for folder in folders:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in (".h", ".cc"):
                yield str(file.relative_to(root)), file.read_text()


def log_faults(root):
    classes = dict(CLASSIFIED.findall((root / LOG_TABLE).read_text()))
    found, used = [], set()
    for path, text in sources(root, "shared", "agent", "relay"):
        if path in HOMES_OF_THE_TYPE:
            continue
        for line, name in logged_names(text):
            used.add(name)
            if name is None:
                found.append(f"{path}:{line}: the fields of a log line are not literals in the call")
            elif classes.get(name, "secret") == "secret":
                found.append(f"{path}:{line}: {LOG_TABLE} does not let {name!r} into a log")
    return found + [f"{LOG_TABLE}: no line of the log has the field {name!r}" for name in classes if name not in used]


def columns_given_to(function, texts):
    """The literals that calls of step_identity(org, "input", ...) have as their second argument."""
    return {column for text in texts for column in re.findall(rf'\b{function}\([\w.]+, "(\w+)"', text)}


def sealed_faults(root):
    texts = dict(sources(root, "relay"))
    found, named = [], set()
    for path, text in texts.items():
        if IDENTITY_IN_PASSING.search(text):
            found.append(f"{path}: a RecordIdentity is made outside a function that gives it, and cannot be read here")
        for function, body in IDENTITY.findall(text):
            how = NAMED.search(body)
            if how is None:
                found.append(f"{path}: which table and column {function}() names cannot be read here")
            elif how.group(2):
                named.add(f"{how.group(1)}.{how.group(2)}")
            else:
                named |= {f"{how.group(1)}.{column}" for column in columns_given_to(function, texts.values())}
    said = set(SEALED.findall(texts[FIELD_TABLE]))
    return (found + [f"{FIELD_TABLE} does not say that {record} is sealed" for record in sorted(named - said - IN_NO_DATABASE)] +
            [f"{FIELD_TABLE} says that {record} is sealed, and nothing names it so" for record in sorted(said - named)])


def faults_in(root):
    return log_faults(root) + sealed_faults(root)


GOOD = {
    LOG_TABLE: 'constexpr x{{"reason", FieldClass::sensitive, "why"}, {"key", FieldClass::secret, "a key"}};\n',
    FIELD_TABLE: '{"jobs", "sealed_end", secret, job, sealed, logs, "jobs.end"},\n'
                 '{"steps", "sealed_input", secret, job,\n sealed, payload, "steps.input"},\n',
    "relay/jobs/sealing.cc":
        'keys::RecordIdentity end_of(const OrgId& org) { return {org, "jobs", "end", org.value}; }\n'
        'keys::RecordIdentity step_of(const OrgId& org, std::string_view column) {\n'
        '  return {org, "steps", std::string(column), "1"};\n}\n'
        'x.open(step_of(org, "input"));\n',
    "agent/main.cc":
        'log.info("a.b"); parts_.log.warn("a.b", {{"reason", f("(", x)}}); log.error("a.b", {{"reason", "a"}, {"reason", b}});\n'
        'log.error("a.b", {{"key", x}});\n',
}
USUAL = "agent/main.cc:2: shared/base/log_fields.h does not let 'key' into a log"
PLANTED = [  # where, what, and what is said of it
    ("agent/main.cc", 'log_.info("a.b", {{"password", text}});', "'password'"),
    ("agent/main.cc", 'on.log().info(event,\n {{"reason", x}, {"passphrase", y}});', "'passphrase'"),
    ("agent/main.cc", 'log->info("a.b", {{name, x}});', "not literals"),
    ("agent/main.cc", 'log.info("a.b", fields);', "not literals"),
    ("agent/main.cc", 'LogField field("reason", x);', "not literals"),
    (LOG_TABLE, '{"unused", FieldClass::public_, "nothing"}', "'unused'"),
    (FIELD_TABLE, '{"jobs", "sealed_text", secret, job, sealed, logs, "jobs.text"},', "jobs.text is sealed, and nothing"),
    ("relay/main.cc", 'RecordIdentity x(const A& a) { return {a.org, "users", "diary", a.id}; }', "that users.diary is sealed"),
    ("relay/main.cc", 'auto a = jobs::step_of(org, "output");', "that steps.output is sealed"),
    ("relay/main.cc", 'RecordIdentity x(const A& a) { return made(a); }', "cannot be read"),
    ("relay/main.cc", 'open(keys::RecordIdentity{org, "users", "diary", id});', "cannot be read"),
    ("relay/main.cc", 'const RecordIdentity x{org, "users", "diary", id};', "cannot be read"),
]


def self_test():
    for where, what, says in [("agent/main.cc", "", None)] + PLANTED:
        with tempfile.TemporaryDirectory() as temporary:
            root = pathlib.Path(temporary)
            for path, text in {**GOOD, where: GOOD.get(where, "") + what}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            found = faults_in(root)
            assert USUAL in found, found
            found.remove(USUAL)
            assert len(found) == (1 if says else 0) and all(says in fault for fault in found), (what, found)


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        sys.exit(0)
    faults = faults_in(pathlib.Path(__file__).resolve().parent.parent)
    for fault in faults:
        print(fault)
    print("fields: every one is classified" if not faults else f"{len(faults)} faults")
    sys.exit(1 if faults else 0)
