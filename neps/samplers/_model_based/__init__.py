"""What searchers with a model share: the space as a model sees it, and what a model makes of a history.

The mathematics is in `neps._models`. Searchers of both kinds call it; what needs scipy is imported with a first model.
"""
