"""A notebook's kernel shows the figures of `neps.plot`, once, whatever its backend is."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import neps

CELLS = {
    "the last expression": "neps.plot(root, width=3.3)",
    "no expression": "figure = neps.plot(root)",
    "in the midst": "display(neps.plot(root)); 1 + 1",
    "with pyplot": "import matplotlib.pyplot as plt\nneps.plot(root)",
    "pyplot's figures": "plt.get_fignums()",
    "another backend": "plt.switch_backend('agg')\nneps.plot(root)",
    "as svg": "%matplotlib inline\n%config InlineBackend.figure_formats = ['svg']\nneps.plot(root)",
}


def identity(x: float) -> float:
    return x


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What each of the cells shows."""
    root = tmp_path_factory.mktemp("notebook")
    neps.run(identity, root / "run", {"x": neps.Float(0, 1)}, searcher="sobol", max_evaluations_total=3, seed=1)
    sources = [f"import neps\nroot = {str(root / 'run')!r}", *CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(root)}}).execute()
    return {name: cell.outputs for name, cell in zip(CELLS, notebook.cells[1:], strict=True)}


def images(outputs: list[Any]) -> list[str]:
    """The kinds of pictures that are shown, each as often as it is."""
    return [kind for output in outputs for kind in output.get("data", {}) if kind.startswith("image/")]


def test_a_figure_at_the_end_of_a_cell_shows_itself_once(outputs: dict[str, list[Any]]) -> None:
    (shown,) = outputs["the last expression"]
    assert images([shown]) == ["image/png"]
    assert shown["metadata"]["image/png"]["width"] == round(3.3 * 96)


def test_a_figure_that_is_kept_is_not_shown(outputs: dict[str, list[Any]]) -> None:
    assert outputs["no expression"] == []
    assert outputs["pyplot's figures"][0]["data"]["text/plain"] == "[]"


@pytest.mark.parametrize("cell", ["in the midst", "with pyplot", "another backend"])
def test_elsewhere_and_with_other_backends_too(outputs: dict[str, list[Any]], cell: str) -> None:
    assert images(outputs[cell]) == ["image/png"]


def test_as_vectors_where_the_notebook_is_set_up_so(outputs: dict[str, list[Any]]) -> None:
    assert "image/svg+xml" in images(outputs["as svg"])
    assert len(outputs["as svg"]) == 1
