#!/usr/bin/env python3
"""How benchmarks judge: figures that keep every promise hold, and each one planted to break one is found."""
import contextlib
import io
import pathlib
import subprocess
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import agents  # noqa: E402
import bulk  # noqa: E402
import connectors  # noqa: E402
import gates  # noqa: E402
import pair  # noqa: E402
import plots  # noqa: E402
import scale  # noqa: E402
import storm  # noqa: E402
import tunnel  # noqa: E402
from gates import Gate, judge  # noqa: E402


def good_figures(all_gates):
    """Each subject exactly at its gates, against peers whose figures are all 100."""
    figures = {gate.than: {one.figure: 100.0 for one in all_gates} for gate in all_gates if gate.than}
    for gate in all_gates:
        own = figures.setdefault(gate.subject, {})
        if gate.gate is None:
            own.setdefault(gate.figure, 0.0 if gate.most else 1e9)
            continue
        value = gate.gate * (100.0 if gate.than else 1.0)
        best = min if gate.most else max
        own[gate.figure] = best(own[gate.figure], value) if gate.figure in own else value
    return figures


class Judging(unittest.TestCase):
    def test_each_planted_fault_is_found(self):
        for all_gates in (tunnel.GATES, tunnel.FAR_GATES, agents.GATES + agents.LARGE_GATES, bulk.GATES, connectors.GATES, connectors.LARGE_GATES, storm.GATES + storm.LARGE_GATES, scale.GATES, pair.FOOTPRINT):
            figures = good_figures(all_gates)
            self.assertEqual(gates.missed([judge(gate, figures) for gate in all_gates]), [])
            for gate in (one for one in all_gates if one.gate is not None):
                with self.subTest(gate=gate):
                    own = dict(figures[gate.subject])
                    bad = gate.gate * (100 if gate.than else 1)
                    own[gate.figure] = bad * 1.01 + 0.01 if gate.most else bad * 0.99
                    found = gates.missed([judge(one, figures | {gate.subject: own}) for one in all_gates])
                    self.assertIn(gate, [verdict.gate for verdict in found])

    def test_what_was_not_measured_does_not_hold(self):
        gate = Gate("S0", "speed", "speed", False, 1.0, 2.0, "peer")
        for figures in ({}, {"sallyport": {"speed": 3}}, {"peer": {"speed": 3}}, {"sallyport": {"speed": 3}, "peer": {"speed": 0}}):
            verdict = judge(gate, figures)
            self.assertIsNone(verdict.holds)
            self.assertEqual(len(gates.missed([verdict])), 1)
            self.assertEqual(gates.missed([verdict], whole=False), [])
            self.assertIn("not measured", next(gates.verdict_rows([verdict])))

    def test_ratio_and_goal(self):
        gate = Gate("S0", "speed", "speed", False, 1.0, 2.0, "peer")
        verdict = judge(gate, {"sallyport": {"speed": 300}, "peer": {"speed": 200}})
        self.assertEqual((verdict.value, verdict.holds, verdict.at_goal), (1.5, True, False))
        self.assertEqual(next(gates.verdict_rows([verdict])), ["S0", "speed", ">= 1 x peer", "1.5 x", "holds", ">= 2 x peer"])

    def test_medians(self):
        self.assertEqual(gates.medians([{"a": 1, "b": 5}, {"a": 9}, {"a": 2}]), {"a": 2, "b": 5})


class Telling(unittest.TestCase):
    def test_tables(self):
        head, rows = ["name", "x"], [["a", "1"], ["long name", "10"]]
        self.assertEqual(gates.text_table(head, rows), "name        x\na           1\nlong name  10")
        self.assertEqual(gates.markdown_table(head, rows), "| name | x |\n| --- | --- |\n| a | 1 |\n| long name | 10 |")

    def test_a_run_is_told_and_judged(self):
        options = types.SimpleNamespace(rtt=0, runs=3, seconds=1.6, report=True, whole=True)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            verdicts = tunnel.tell(options, good_figures(tunnel.GATES))
        self.assertEqual(gates.missed(verdicts), [])
        self.assertIn("| S1 | CPU of one channel |", out.getvalue())
        self.assertIn("| sallyport |", out.getvalue())


    def test_bars(self):
        self.assertEqual(plots.plot("MB", [("1", 1), ("10", 2), ("100", None)], 4), "MB\n  1 ██   1\n 10 ████ 2\n100      -")
        self.assertEqual(plots.bar(1, 3, 1), "▍")

    def test_growth(self):
        linear, square = [[(count, count ** power) for count in (1, 10, 100, 1_000)] for power in (1, 2)]
        self.assertAlmostEqual(scale.for_twice(linear, 1), 2)
        self.assertAlmostEqual(scale.for_twice(square, 1), 4)
        self.assertAlmostEqual(scale.for_twice([(1, 1), (10, 1_000), (100, 10_000)], 10), 2)
        self.assertIsNone(scale.for_twice([(1, 1)], 1))


class Words(unittest.TestCase):
    def test_options(self):
        options = tunnel.parse(["--quick", "--peers", "ssh,direct", "--only", "lat"])
        self.assertEqual(options.names, ["direct", "ssh -R", "ssh -L"])
        self.assertEqual((options.phases, options.hold, options.runs, options.whole), (["lat"], 0, 1, False))
        whole = tunnel.parse([])
        self.assertEqual((whole.hold, whole.runs, whole.whole), (tunnel.MANY_CHANNELS, 3, True))
        self.assertEqual(tunnel.parse(["--rtt", "100"]).names, tunnel.FAR)
        with self.assertRaises(SystemExit):
            tunnel.parse(["--peers", "nosuch"])

    def test_unknown_words(self):
        bench = pathlib.Path(__file__).resolve().parent / "bench.py"
        done = subprocess.run([sys.executable, bench, "/nonexistent", "nosuch"], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no benchmark nosuch", done.stderr)


if __name__ == "__main__":
    unittest.main()
