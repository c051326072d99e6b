"""What benchmarks of regret make of recorded runs: methods, curves, ranks, intervals, tables and figures.

`benchmarks.regret` and `benchmarks.multifidelity` say what is spent, and what a run has found by then.
"""
