#!/usr/bin/env python3
"""CPU time of `sallyport recipes validate` for recipes of up to 512 KiB that are all expressions.

usage: large_recipes.py BIN, the folder of the programs. Fails when one kind takes a second or more."""
import os
import resource
import subprocess
import sys
import tempfile

LIMIT = 512 * 1024
STEPS = 200
TEXT = LIMIT // STEPS - 80

KINDS = {
    "short": "1+2*3",
    "chained macros": "string(size([1,2,3].map(x, x * 2).filter(y, y > 2).map(z, [z, z])))",
    "nested brackets": "string(" + "(" * 200 + "1" + ")" * 200 + ")",
    "nested bindings": "string(" + "".join(f"cel.bind(v{i}, [{i}], " for i in range(100)) + "size(v0)" + ")" * 101,
    "maps": "string(size({" + ",".join(f"'k{i}': [{i}, {{'a': {i}}}]" for i in range(200)) + "}))",
    "conditionals": "string(size([" + ",".join(["1<2?[1]:[2]"] * 4500) + "]))",
    "many overloads": "string(size([" + ",".join(["1<2"] * 15000) + "]))",
}


def recipe(expression):
    """Steps full of one expression, as many as fit."""
    one = "${{ " + expression + " }}"
    text = one * max(1, TEXT // len(one))
    out = "recipe: large\nrun_on: dc1\ntrigger: {uses: manual@1}\nsteps:\n"
    for i in range(STEPS):
        step = f'  - {{id: s{i}, uses: log.write@1, with: {{level: info, text: "{text}"}}}}\n'
        if len(out) + len(step) > LIMIT:
            break
        out += step
    return out


def cpu_seconds(program, path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "recipes", "validate", path], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    program = os.path.join(sys.argv[1], "sallyport")
    slowest = 0.0
    for kind, expression in KINDS.items():
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(recipe(expression))
            file.flush()
            seconds = cpu_seconds(program, file.name)
            print(f"{kind}: {os.path.getsize(file.name)} bytes, {seconds:.2f} s of CPU")
            slowest = max(slowest, seconds)
    return 0 if slowest < 1 else 1


if __name__ == "__main__":
    sys.exit(main())
