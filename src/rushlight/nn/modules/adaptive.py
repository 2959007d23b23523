"""Softmax over many classes, most of which are rare (Grave et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities and loss over classes sorted by falling frequency.

    The frequent classes and one number per cluster of rare ones make the head; the classes of a
    cluster are only looked at for targets in it, in a narrower space.

    Args:
        in_features: the size of an input vector.
        n_classes: the number of classes.
        cutoffs: where clusters begin: rising numbers between 1 and n_classes - 1.
        div_value: each cluster's space is narrower than the one before by this factor.
        head_bias: whether the head has a bias.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(set(cutoffs))
            or any(int(c) != c for c in cutoffs)
            or not 0 < cutoffs[0] <= cutoffs[-1] < n_classes
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an "
                "increasing order, where each value is between 1 and n_classes-1, got "
                f"{cutoffs} for {n_classes} classes"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **factory)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            narrow = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            into = Linear(in_features, narrow, bias=False, **factory)
            self.tail.append(Sequential(into, Linear(narrow, size, bias=False, **factory)))

    def reset_parameters(self) -> None:
        """Draw new weights."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster.children():
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """The log-probability of each target, and minus their mean.

        Args:
            input_: (N, in_features), or (in_features).
            target_: (N), or a number: classes.
        """
        batched = target_.ndim > 0
        if batched and target_.ndim == 1:
            if input_.shape[0] != target_.shape[0]:
                raise RuntimeError(
                    "Input and target should have the same size in the batch dimension, got "
                    f"shapes {list(input_.shape)} and {list(target_.shape)}"
                )
            if input_.ndim != 2:
                raise RuntimeError(
                    "1D target tensor expects 2D input tensors, but found inputs with size "
                    f"{input_.shape}"
                )
        elif not batched:
            if input_.ndim != 1:
                raise RuntimeError(
                    "0D target tensor expects 1D input tensors, but found inputs with size "
                    f"{input_.shape}"
                )
        else:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        input = input_ if batched else input_.unsqueeze(0)
        target = target_ if batched else target_.unsqueeze(0)
        used = 0
        output = input.new_zeros(target.shape[0])
        in_head = target.new_empty(target.shape[0])
        bounds = [0, *self.cutoffs]
        for i in range(len(bounds) - 1):
            rows = ((target >= bounds[i]) & (target < bounds[i + 1])).nonzero().squeeze(1)
            if rows.numel() == 0:
                continue
            if i == 0:
                in_head.index_copy_(0, rows, target[rows])
            else:
                logprob = F.log_softmax(self.tail[i - 1](input.index_select(0, rows)), dim=1)
                own = (target[rows] - bounds[i]).unsqueeze(1)
                in_head.index_fill_(0, rows, self.shortlist_size + i - 1)
                output = output.index_copy(0, rows, logprob.gather(1, own).squeeze(1))
            used += rows.numel()
        if used != target.shape[0]:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, in_head.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _with_head(self, input: Tensor, head: Tensor) -> Tensor:
        found = input.new_empty((head.shape[0], self.n_classes))
        logprob = F.log_softmax(head, dim=1)
        found[:, : self.shortlist_size] = logprob[:, : self.shortlist_size]
        for i, (start, stop) in enumerate(zip(self.cutoffs, self.cutoffs[1:])):
            cluster = F.log_softmax(self.tail[i](input), dim=1)
            found[:, start:stop] = cluster + logprob[:, self.shortlist_size + i].unsqueeze(1)
        return found

    def log_prob(self, input: Tensor) -> Tensor:
        """(N, in_features) -> the log-probabilities of all classes, (N, n_classes)."""
        return self._with_head(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """(N, in_features) -> the most probable class, (N).

        Clusters are only looked at for the rows whose head says so.
        """
        head = self.head(input)
        output = head.argmax(dim=1)
        rare = output >= self.shortlist_size
        if not rare.any():
            return output
        if rare.all():
            return self._with_head(input, head).argmax(dim=1)
        found = self._with_head(input[rare], head[rare]).argmax(dim=1)
        output[rare] = found
        return output

