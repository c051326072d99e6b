"""What optimizers find in 25, 50 and 100 evaluations, one at a time: neps and its peers, on the same problems.

`python -m benchmarks.regret run` makes the runs that are missing and records them in results/; without `run` it makes
tables and plots from what is recorded. Problems are in
`benchmarks.problems`, drivers in `benchmarks/peers`; an optimizer runs in a process and an environment of its own.
"""
