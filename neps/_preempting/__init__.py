"""`neps preempt-test`: run a user's script in a rehearsal, interrupt it, and tell what became of its trial.

`seeing` and `reads` observe, `rehearsing` starts and signals the script, `interrupting` owns the order, and `verdict`
says what it means. Called by the command line alone; takes no part in a run.
"""
