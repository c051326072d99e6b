"""Many workers on a slow filesystem, simulated: neps's own worker code, in virtual time, on calls of `os` that cost.

`scheduling` owns the time, `virtual_files` what a call costs and what a client sees, `simulating` the workers, and
`validating` compares with real processes. `python -m benchmarks.workers` prints the tables of docs/clusters.md.
"""
