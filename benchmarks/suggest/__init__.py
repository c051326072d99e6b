"""What a suggestion costs: processor and wall seconds, of ours and of other libraries, after the same results.

`driver` tells an optimizer n results and asks it, in the optimizer's own environment; `measuring` times that;
`starting` times how soon a fresh process has its first suggestion of a model, `throughput` how many workers make in a
second. `__main__` prints what they find.
"""
