"""Chaos: sixteen workers on four hosts are killed, frozen and lied to by their clocks while they search, for minutes.

Not a test that pytest runs but a program, `scripts/stress chaos`: it says what went wrong that it did not ask for.
`__main__` runs the rounds; `cluster` holds the hosts, `strikes` what happens to them, `verdict` what is wrong in the
end. On the hosts run `keeper`, which replaces workers that ended, and `worker`, which evaluates `training`.
"""
