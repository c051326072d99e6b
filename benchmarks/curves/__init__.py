"""Learning curves of small networks, trained here, in tables: `scripts/bench curves`. See README.md.

Tasks and what is answered from the tables are in `benchmarks.problems`: `curve_tasks` and `curve_tables`.
"""
