"""Delayed visibility: workers of neps on a filesystem in memory whose clients see names, contents and times late.

`disk` is the filesystem's truth, with its whole history; `client_view` what one client sees of it, which may lag.
`calls` lets neps's own code call it instead of the operating system, `clients` runs several workers of it in turns,
switching at each call, and `workers` is what they run: the ledger and the worker's loop, as they are, but for the
evaluation. `reference` is the model that the directory is held against, `machine` the state machine of hypothesis.

`python -m visibility` runs it for longer than the tests do; `python -m visibility --mutations` shows what it finds.
"""
