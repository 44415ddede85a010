"""What a benchmark's figures are held to, and how that is told. No measuring here."""
import dataclasses
import statistics
from typing import Optional


@dataclasses.dataclass(frozen=True)
class Gate:
    """`subject`'s `figure`, as a multiple of `than`'s (or as it is, without `than`), is at most or at least `gate`, where there is one; `goal` is what
    the limit still allows."""

    target: str  # of the project's targets: "S1"
    what: str
    figure: str
    most: bool
    gate: Optional[float]
    goal: Optional[float] = None
    than: Optional[str] = None
    subject: str = "sallyport"


@dataclasses.dataclass(frozen=True)
class Verdict:
    gate: Gate
    value: Optional[float]  # nothing: a side was not measured
    holds: Optional[bool]
    at_goal: Optional[bool]


def within(gate, value, bound):
    if bound is None:
        return None
    return value <= bound if gate.most else value >= bound


def judge(gate, figures):
    """`figures` is {name: {figure: number}}."""
    value = figures.get(gate.subject, {}).get(gate.figure)
    if value is not None and gate.than is not None:
        other = figures.get(gate.than, {}).get(gate.figure)
        value = value / other if other else None
    if value is None:
        return Verdict(gate, None, None, None)
    return Verdict(gate, value, within(gate, value, gate.gate), within(gate, value, gate.goal))


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def bound(gate, value):
    if value is None:
        return "-"
    return f"{'<=' if gate.most else '>='} {number(value)}" + (f" x {gate.than}" if gate.than else "")


def verdict_rows(verdicts):
    for verdict in verdicts:
        gate = verdict.gate
        told = {True: "holds", False: "MISSES", None: "-"}[verdict.holds] if verdict.value is not None else "not measured"
        yield [gate.target, gate.what, bound(gate, gate.gate), number(verdict.value) + (" x" if gate.than and verdict.value is not None else ""), told,
               bound(gate, gate.goal) + (", reached" if verdict.at_goal else "")]


VERDICT_HEAD = ["target", "figure", "gate", "measured", "gate", "goal"]


def missed(verdicts, whole=True):
    """Of a whole run, a gate that could not be judged is missed too."""
    return [verdict for verdict in verdicts if verdict.holds is False or (whole and verdict.holds is None and verdict.gate.gate is not None)]


def medians(runs):
    """One dict of figures out of several: the median of each figure, of the runs that have it."""
    names = {name for run in runs for name in run}
    return {name: statistics.median(run[name] for run in runs if name in run) for name in sorted(names)}


def text_table(head, rows):
    rows = [head, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def markdown_table(head, rows):
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines)


def table(head, rows, report):
    return (markdown_table if report else text_table)(head, list(rows))
