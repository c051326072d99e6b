"""How good searches over fidelities are, next to other libraries: `scripts/bench multifidelity`.

Drivers and environments of peers are `benchmarks.peers`'s and `benchmarks.driving`'s, problems are
`benchmarks.problems`'s.
"""
