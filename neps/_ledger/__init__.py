"""The directory seen as a database: files only. It knows no sampler, and nothing else knows a file's name.

`exclusive` makes names appear, `trial_folder` has the files of a trial, `trial_state` says what they mean together,
`view` is what a worker knows, `opening` is where it begins.
"""
