#!/usr/bin/env python3
"""What others notice of somebody who has large recipes checked over 100 connections at once.

recipe_load.py BIN. 100 connections send POST /v1/recipes/validate with a recipe of 487 KB that is all conditionals (large_recipes.py), each again as soon
as it has its answer (or when Retry-After says), for 30 s, with one token of one organisation. Meanwhile GET /livez is asked up to twenty times a second, each time over a new
connection, and the agent of another organisation is linked. Afterwards jobs of that recipe are started one after the other. Fails when /livez takes 1 s at p99, or the agent loses its link."""
import concurrent.futures
import http.client
import json
import pathlib
import ssl
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from large_recipes import KINDS, recipe  # noqa: E402
from faults.kill_loop import World, start_pair  # noqa: E402

CONNECTIONS = 100
SECONDS = 30
STARTS = 5


def at(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def connect(world):
    context = ssl.create_default_context(cafile=world.root)
    return http.client.HTTPSConnection("127.0.0.1", world.api, context=context, timeout=120)


def ask(connection, method, path, token, body=None, kind="application/json"):
    connection.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": kind})
    answer = connection.getresponse()
    return answer.status, answer.read(), int(answer.getheader("Retry-After") or 0)


def token_elsewhere(world):
    status, made = world.call("POST", "/v1/organisations", {"name": "elsewhere", "owner_name": "O", "owner_email": "o@elsewhere.example"})
    assert status == 201, made
    return made["secret"]


def load(world, token, body, until, counts, lock):
    connection = None
    while time.monotonic() < until:
        try:
            connection = connection or connect(world)
            status, _, wait = ask(connection, "POST", "/v1/recipes/validate", token, body, "application/yaml")
        except (OSError, http.client.HTTPException):
            connection, status, wait = None, "cut", 0
        with lock:
            counts[status] = counts.get(status, 0) + 1
        time.sleep(min(wait, max(0, until - time.monotonic())))


def livez(world, until, times):
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            connection = connect(world)
            assert ask(connection, "GET", "/livez", world.token)[0] == 200
        except (OSError, http.client.HTTPException):
            pass
        times.append(time.monotonic() - began)
        time.sleep(0.05)


def start_jobs(world, times):
    connection = connect(world)
    for _ in range(STARTS):
        began = time.monotonic()
        status, text, _ = ask(connection, "POST", "/v1/jobs", world.token, json.dumps({"recipe_name": "large"}))
        assert status in (200, 202), text
        times.append(time.monotonic() - began)


def main():
    world = World(sys.argv[1])
    try:
        start_pair(world)
        text = recipe(KINDS["conditionals"])
        (world.dir / "large.yaml").write_text(text)
        world.run("sallyport", "recipes", "apply", "-f", world.dir / "large.yaml", "--activate")
        token = token_elsewhere(world)
        counts, lock, times, starts = {}, threading.Lock(), [], []
        until = time.monotonic() + SECONDS
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS + 1) as pool:
            pool.submit(livez, world, until, times)
            for _ in range(CONNECTIONS):
                pool.submit(load, world, token, text, until, counts, lock)
        start_jobs(world, starts)
        log = (world.dir / "relay.log").read_text(errors="replace")
        lost = log.count('"link.lost"')
        print(f"recipe load: {len(text)} bytes, {CONNECTIONS} connections, {SECONDS} s: answers {counts}; /livez asked {len(times)} times, "
              f"p50 {at(times, 0.5) * 1000:.0f} ms, p99 {at(times, 0.99) * 1000:.0f} ms, longest {max(times) * 1000:.0f} ms; "
              f"agent links lost {lost}; job starts of that recipe {', '.join(f'{one * 1000:.0f}' for one in starts)} ms")
        return 0 if at(times, 0.99) < 1 and lost == 0 else 1
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
