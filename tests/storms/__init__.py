"""What the storms on a cluster have in common: the worker and its training, the verdict, the command's report.

`slurm_storm` and `mounts_storm` are the programs. What happened is told by workers and storms in lines of JSON
(`chaos.evidence`) on a local disk, which neps knows nothing of, and compared with what neps left in the root.
"""
