"""What eight workers lose against one, and what a good and a bad prior do: in memory, without files.

`running` makes runs with `neps.testing.simulation`, several at once if asked; `workers` and `priors` say which, and
compare their regrets; `pooling` pools over problems and seeds. `real` times processes that share a directory.
"""
