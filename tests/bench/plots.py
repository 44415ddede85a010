"""Plots as text: one bar for each point, of a length by its value."""
from gates import number

EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(value, most, width):
    """Up to `width` characters, in steps of an eighth of one."""
    eighths = round(max(0.0, min(1.0, value / most)) * width * 8) if most > 0 else 0
    return ("█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")).ljust(width)


def plot(title, rows, width=48):
    """`rows` are (label, value); the longest bar is the largest value."""
    most = max((value for _, value in rows if value is not None), default=0)
    wide = max((len(label) for label, _ in rows), default=0)
    return "\n".join([title, *(f"{label.rjust(wide)} {bar(value or 0, most, width)} {number(value)}" for label, value in rows)])
