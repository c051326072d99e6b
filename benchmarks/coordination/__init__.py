"""What coordination costs: trials a second, the cost of one trial, joining, starting, and system calls.

Each module measures one of these in real processes on a real disk and returns a `Section`; `python -m
benchmarks.coordination` prints them. Nothing here is a test: a timing is compared with its target and printed.
"""
