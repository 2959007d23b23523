"""vmap against a loop, for every op that has a row in tests/ops: values, and gradients both ways.

A batch is three draws of a row's sample. What cannot be batched must say so.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
from ops.row import Case, Make, Row, load_rows

import rushlight as rl
from rushlight.func import grad, vmap
from rushlight.func.tree import tree_flatten, tree_unflatten

ROWS = load_rows()
SIZE = 3

# What a batch has no meaning or no shape for; the reason stands in docs/differences.md.
NO_BATCH = {
    "the shape of the result depends on values": """masked_select nonzero argwhere unique
        unique_consecutive repeat_interleave bincount combinations nonzero_static
        nn.functional.one_hot index_put nn.functional.embedding_bag block_diag masked_scatter""",
    "reads values as Python numbers, to check them or to branch": """equal allclose is_nonzero histc
        histogram histogramdd quantile nanquantile isin searchsorted bucketize multinomial cov
        segment_reduce
        nn.functional.gaussian_nll_loss nn.functional.multi_margin_loss
        nn.functional.multilabel_margin_loss rnn_tanh rnn_relu lstm gru""",
    "an offset into memory means another item": "as_strided as_strided_copy as_strided_scatter",
    "gives memory to another library, or takes other memory": "from_dlpack resize_as_",
    "made of kernels, not of ops": """lu_unpack native_batch_norm
        nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d""",
    "random": """nn.functional.gumbel_softmax""",
}
LISTED = {name for names in NO_BATCH.values() for name in names.split()}


def function_of(row: Row) -> Any:
    found: Any = rl
    for part in (row.path or row.name).split("."):
        found = getattr(found, part)
    return found


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def cases_of(row: Row, dtype: str, samples: Any) -> list[tuple[Case, ...]]:
    """Of each sample as many draws as the batch has items, with the same shapes and numbers."""
    drawn = [list(samples(Make(dtype, f"{row.name} {i}"))) for i in range(SIZE)]
    found = []
    for group in zip(*drawn, strict=True):
        flat = [tree_flatten((case.args, case.kwargs)) for case in group]
        alike = all(shape == flat[0][1] for _, shape in flat) and all(
            a.shape == b.shape and a.dtype == b.dtype if is_array(a) and is_array(b) else a is b
            or a == b
            for leaves, _ in flat[1:]
            for a, b in zip(leaves, flat[0][0], strict=True)
        )
        found.append(group if alike else (group[0],) * SIZE)
    return found


def leaves_of(group: tuple[Case, ...]) -> tuple[list[list[Any]], Any]:
    """The leaves of the arguments of every draw, and the nest around them."""
    flat = [tree_flatten((case.args, case.kwargs)) for case in group]
    return [leaves for leaves, _ in flat], flat[0][1]


def batches(leaves: list[list[Any]]) -> list[set[int]]:
    """Which arrays differ between items: all of them, and each alone."""
    arrays = [i for i, leaf in enumerate(leaves[0]) if is_array(leaf)]
    alone = [{i} for i in arrays] if len(arrays) > 1 else []
    return [set(arrays), *alone] if arrays else []


def tensors(leaves: list[Any]) -> list[Any]:
    return [rl.tensor(leaf) if is_array(leaf) else leaf for leaf in leaves]


def stacked(leaves: list[list[Any]], batch: set[int]) -> tuple[list[Any], list[Any]]:
    """(arguments of the batch, arguments of each item)."""
    whole = [
        rl.tensor(np.stack([item[i] for item in leaves])) if i in batch else leaf
        for i, leaf in enumerate(tensors(leaves[0]))
    ]
    items = [
        [whole[i][k] if i in batch else leaf for i, leaf in enumerate(whole)] for k in range(SIZE)
    ]
    return whole, items


def result_leaves(result: Any) -> list[Any]:
    return [leaf for leaf in tree_flatten(result)[0] if isinstance(leaf, rl.Tensor)]


def close(found: rl.Tensor, wanted: rl.Tensor, tol: float) -> None:
    assert found.shape == wanted.shape and found.dtype is wanted.dtype, (
        f"{found.shape} {found.dtype}, expected {wanted.shape} {wanted.dtype}"
    )
    np.testing.assert_allclose(
        found.detach().numpy(), wanted.detach().numpy(), rtol=1e-9 * tol, atol=1e-10 * tol
    )


def over_batch(row: Row, shape: Any, whole: list[Any], batch: set[int], of: Any) -> Any:
    """vmap over the arrays of the batch; `of` makes a result from the op's."""
    order = sorted(batch)

    def call(*items: Any) -> Any:
        leaves = list(whole)
        for i, item in zip(order, items, strict=True):
            leaves[i] = item
        args, kwargs = tree_unflatten(leaves, shape)
        return of(function_of(row)(*args, **kwargs))

    return call, [whole[i] for i in order]


def skipped(row: Row, group: tuple[Case, ...]) -> bool:
    if row.name in LISTED or row.check is not None:
        return True
    return not any(is_array(leaf) for leaf in leaves_of(group)[0][0])


def rows(select: Any = lambda row: True) -> Any:
    chosen = [row for row in ROWS.values() if select(row) and row.name not in LISTED]
    return pytest.mark.parametrize("row", chosen, ids=lambda row: row.name)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    rl.manual_seed(0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@rows()
def test_values(row: Row) -> None:
    dtype = "float64" if "f" in row.dtypes or "float64" in row.dtypes else row.dtype_names[0]
    for group in cases_of(row, dtype, row.samples):
        if skipped(row, group):
            continue
        leaves, shape = leaves_of(group)
        for batch in batches(leaves):
            whole, items = stacked(leaves, batch)
            wanted = []
            for item in items:
                args, kwargs = tree_unflatten(item, shape)
                wanted.append(result_leaves(function_of(row)(*args, **kwargs)))
            call, given = over_batch(row, shape, whole, batch, lambda r: tuple(result_leaves(r)))
            found = vmap(call)(*given)
            for place, leaf in enumerate(found):
                close(leaf, rl.stack([w[place] for w in wanted]), row.tol)


def loss_of(result: Any) -> rl.Tensor:
    """One number that depends on all elements of the result, differently on each."""
    total = rl.zeros((), dtype=rl.float64)
    for leaf in result_leaves(result):
        if leaf.dtype is rl.float64:
            weights = rl.arange(1, leaf.numel() + 1, dtype=rl.float64).cos().reshape(leaf.shape)
            total = total + (leaf * weights).sum()
    return total


@rows(lambda row: "f" in row.grad)
def test_gradients(row: Row) -> None:
    """vmap(grad(f)), and grad of the sum of vmap(f), are what the loop over items gives."""
    samples = row.grad_samples or row.samples
    for group in itertools.islice(cases_of(row, "float64", samples), 6):
        if skipped(row, group):
            continue
        leaves, shape = leaves_of(group)
        floats = {
            i for i, a in enumerate(leaves[0]) if is_array(a) and a.dtype == np.float64 and a.size
        }
        if not floats:
            continue
        batch = {i for i, leaf in enumerate(leaves[0]) if is_array(leaf)}
        whole, items = stacked(leaves, batch)
        order = sorted(batch)
        numbers = tuple(k for k, i in enumerate(order) if i in floats)
        call, given = over_batch(row, shape, whole, batch, loss_of)
        inner = vmap(grad(call, numbers))(*given)
        outer = grad(lambda *a, call=call: vmap(call)(*a).sum(), numbers)(*given)
        wanted = []
        for item in items:
            wanted.append(grad(call, numbers)(*[item[i] for i in order]))
        for place in range(len(numbers)):
            expected = rl.stack([w[place] for w in wanted])
            close(inner[place], expected, row.tol * 100)
            close(outer[place], expected, row.tol * 100)
