"""Texts that must not come to light, every form that they could take, and every place where they could lie."""
import base64
import json
import urllib.parse


def forms(text):
    raw = text.encode()
    found = {"raw": raw, "JSON": json.dumps(text, ensure_ascii=False)[1:-1].encode(), "JSON in ASCII": json.dumps(text)[1:-1].encode(),
             "URL": urllib.parse.quote(text, safe="").encode(), "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode()}
    for before in range(3):
        inner = base64.b64encode(b"x" * before + raw)[(before * 8 + 5) // 6:(before + len(raw)) * 8 // 6]
        found[f"base64 at {before}"] = inner
        found[f"base64url at {before}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def where(text, places):
    return sorted(f"{place}: {form}" for place, content in places.items() for form, bytes_ in forms(text).items() if bytes_ in content)


def expect_forms_known(text):
    """The search finds each form of the text when it is planted."""
    for name, form in forms(text).items():
        assert where(text, {"planted": b"before" + form + b"after"}), f"the search does not know the form {name}"


def files_below(world, *names):
    """{name: content} of every file below these names in the world's directory; what comes and goes meanwhile is not missed."""
    places = {}
    for name in names:
        top = world.dir / name
        for path in ([top] if top.is_file() else top.rglob("*") if top.exists() else []):
            try:
                if path.is_file() and not path.is_symlink():
                    places[str(path.relative_to(world.dir))] = path.read_bytes()
            except FileNotFoundError:
                continue
    return places


def files_of_relay(world):
    """Its data directory with write-ahead logs and backups of keys, its log, rotated too, and its archive, if it has one."""
    logs = [path.name for path in world.dir.glob("relay.log*")]
    return files_below(world, "relay", "key-backups", "archive", *logs)


def everything_on_disk(world):
    """The relay's files, and those of its agents: state, spool, logs."""
    logs = [path.name for agent in world.agents for path in world.dir.glob(f"{agent}.log*")]
    return files_of_relay(world) | files_below(world, *(f"{agent}/state" for agent in world.agents), *logs)
