"""`neps doctor`: what is wrong with a root, and with this host's view of it; what the optimizer does about it.

The ledger's own code judges, so that status, load, retry and the doctor tell one story. Called by the command line.
"""
