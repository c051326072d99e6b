"""What Bayesian optimization finds late in a long run, beside another version of it: `scripts/bench late`."""
