"""The public functions that take part in a run or read one.

`run`, `tell`, `AskAndTell` in `asking`, `load` in `reading`, and `retry` in `retrying`.
"""
