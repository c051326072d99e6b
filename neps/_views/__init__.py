"""What people see of a run: its status, a worker's progress, tables, and plots. Derived, and never read by a search.

`neps.status`, `neps.plot` and the command line come from here; `neps.run` shows its progress and writes its tables
through here.
"""
