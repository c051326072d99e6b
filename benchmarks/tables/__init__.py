"""Tables of scikit-learn's models, trained here with every seed and fold, and what makes them.

`benchmarks.problems.model_tables` names the tasks and answers from their tables; stores and designs are those of
`benchmarks.curves`.
"""
