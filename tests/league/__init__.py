"""The league: the same faults for neps and for other libraries, told by evidence that none of them writes.

`python -m league` runs it; `scenarios` says what is done, `driver` how each library is used. No test of CI runs peers.
"""
