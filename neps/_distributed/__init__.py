"""Several processes that train one trial together, started by torchrun: all of them call `neps.run`.

Rank 0 is the worker (`leading`); the others evaluate what it claims (`following`). What they tell each other goes
through torch's own key-value store (`carrier`), which torchrun has set up anyway: no process group is made or touched.
`neps.run` calls it, only where torchrun's variables are there (`launched`); nothing here is imported otherwise.
"""
