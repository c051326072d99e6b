"""A worker: the loop that resumes, claims, evaluates and waits; where samplers, ledger and evaluation meet."""
