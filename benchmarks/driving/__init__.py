"""How benchmarks run optimizers: environments, drivers as processes, many runs, and records of them.

What a run is, and what is made of its record, each benchmark knows itself: `benchmarks.regret` and
`benchmarks.multifidelity`. The drivers are in benchmarks/peers.
"""
