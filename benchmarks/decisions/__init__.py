"""What a decision of a search over fidelities costs in a long run, and whether its workers ever idle.

`deciding` times decisions in memory; `pool` lets simulated workers take random times, and `real` processes that share a
directory. `utilisation` is how much of their time workers evaluate.
"""
