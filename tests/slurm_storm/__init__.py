"""A storm on a real SLURM: arrays that search are cancelled, preempted, requeued, crashed, frozen, joined, for minutes.

Not a test but a program, `PYTHONPATH=tests python -m slurm_storm`; a test runs one short round of it.
"""
