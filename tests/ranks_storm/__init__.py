"""Ranks of torchrun that are killed, signalled, and fail at random, while other workers and restarts carry on.

`python -m ranks_storm` runs rounds of it; tests run a few. `training` is the script that torchrun starts, `evidence`
what its ranks write down, `verdict` what must hold.
"""
