"""How a Gaussian process is told what is inactive: ways of imputation, arc, conditional and independent kernels.

`kernels` has the ways, `process` a plain Gaussian process that takes any of them, `running` what is measured. The one
that neps has kept is `beside`; a test compares it with neps's own process.
"""
