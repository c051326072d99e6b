"""A storm on networked filesystems: workers with a mount each for two hosts die, freeze, and lose their mount.

Not a test but a program, `PYTHONPATH=tests python -m mounts_storm`; a test runs short rounds of it.
"""
