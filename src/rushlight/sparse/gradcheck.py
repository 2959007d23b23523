"""gradcheck for functions of sparse tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_sparse_gradcheck"]


def as_sparse_gradcheck(gradcheck: Callable[..., bool]) -> Callable[..., bool]:
    """gradcheck with sparse tensors among inputs and results.

    The function is checked as one of the values of its sparse inputs, whose places stay, and
    sparse results are made dense.
    """

    def check(function: Any, inputs: Any, **options: Any) -> bool:
        options.pop("masked", None)
        given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
        plain, rebuild = [], []
        for value in given:
            if isinstance(value, Tensor) and value.is_sparse and value.requires_grad:
                whole = value.detach().coalesce()
                plain.append(whole.values().clone().requires_grad_())
                rebuild.append(whole)
            else:
                plain.append(value)
                rebuild.append(None)

        def dense(*arguments: Any) -> Any:
            from rushlight.sparse.construct import sparse_coo_tensor

            made = [
                value if mask is None else sparse_coo_tensor(
                    mask.indices(), value, mask.shape, is_coalesced=True
                )
                for value, mask in zip(arguments, rebuild)
            ]
            results = function(*made)
            if isinstance(results, Tensor):
                return results.to_dense()
            return tuple(r.to_dense() if isinstance(r, Tensor) else r for r in results)

        return gradcheck(dense, tuple(plain), **options)

    check.__name__, check.__doc__ = gradcheck.__name__, gradcheck.__doc__
    return check
