"""Surrogate models and acquisition functions: arrays in, arrays out; no search space, trial or file.

Its modules need scipy, so samplers import them when a model is first fitted, never before.
"""
