"""Fingerprints of decisions: what each searcher suggests on histories that never change, bit for bit.

`scripts/bench fingerprints` compares; tests/fingerprints does so as a test; recorded benchmark runs are keyed by them.
"""
