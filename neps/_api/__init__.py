"""The public functions that take part in a run or read one: `run`, `tell`, `AskAndTell` (`asking`), `load` (`reading`),
and `retry` (`retrying`).
"""
