"""Contract suites and simulations for people who extend neps: run them against your own sampler or filesystem.

Nothing in neps itself imports this.
"""
