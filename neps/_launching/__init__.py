"""Starting workers of a user's script: as a SLURM job array, or as processes of this machine. `neps launch` calls it.

A worker needs nothing of this: whoever starts the script starts one.
"""
