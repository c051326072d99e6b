"""What users give as `pipeline_space`: a dict, a SearchSpace, a file's path, or a ConfigurationSpace of ConfigSpace.

`neps.run`, `neps.AskAndTell` and `neps.confirm` call it. Files are read in `space_files`, ConfigSpace in `configspace`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Union

from neps._calling import public
from neps.space import Parameter, SearchSpace

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

__all__ = ["Space", "space_from"]

Space = Union[Mapping[str, Parameter], SearchSpace, str, Path, "ConfigurationSpace"]
"""What may be passed as `pipeline_space`."""


@public("neps.space_from")
def space_from(pipeline_space: Space) -> SearchSpace:
    """The search space that `neps.run` makes of its `pipeline_space`: to look at, to extend, or to pass on.

    Args:
        pipeline_space: a dict of parameters; a SearchSpace; the path of a .yaml, .yml or .json file; or a
            ConfigurationSpace (`pip install 'neps[configspace]'`). docs/nested-spaces.md describes both.

    Raises:
        neps.errors.SpaceError: if it is none; the message names the file, the parameter and the key.

    Example:
        >>> import neps, tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "space.yaml"
        >>> _ = path.write_text("space: {lr: {type: float, lower: 1e-5, upper: 0.1, log: true}}")
        >>> neps.space_from(path)
        SearchSpace({'lr': Float(1e-05, 0.1, log=True)})
    """
    if isinstance(pipeline_space, str | os.PathLike):
        from neps._api.space_files import read_space

        return read_space(Path(pipeline_space))
    if type(pipeline_space).__module__.partition(".")[0] == "ConfigSpace":
        from neps._api.configspace import translated

        return translated(pipeline_space)
    return SearchSpace(pipeline_space)  # type: ignore[arg-type] # what is no mapping is refused
