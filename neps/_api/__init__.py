"""The public functions that take part in a run or read one, each in a module: `run`, `load`, `retry`."""
