"""Rigs that tests run neps on: other hosts, faulty and full filesystems, fleets of real processes.

Each module is one rig and says on which machines it works. Nothing here knows neps; fixtures for all of them are in
`tests/conftest.py`.
"""
