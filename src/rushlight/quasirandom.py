"""Sobol sequences: points that fill the unit cube more evenly than random ones.

I. M. Sobol', "On the distribution of points in a cube and the approximate evaluation of integrals"
(1967), with the direction numbers of S. Joe and F. Y. Kuo (2008, "new-joe-kuo-6.21201"), which
SciPy ships; scrambled as by J. Matousek (1998) and A. Owen. The numbers are PyTorch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight

if TYPE_CHECKING:
    from rushlight.tensor import Tensor

__all__ = ["SobolEngine"]


class SobolEngine:
    """Draws the points of a Sobol sequence one after the other.

    Args:
        dimension: of the points, 1 to 21201.
        scramble: shift and scramble the digits by random numbers.
        seed: of these random numbers; the default generator draws them without one.

    Needs SciPy (the extra `scipy`). Raises ValueError for a dimension out of range.

    Example:
        >>> rushlight.quasirandom.SobolEngine(2).draw(3)
        tensor([[0.0000, 0.0000],
                [0.5000, 0.5000],
                [0.7500, 0.2500]])
    """

    MAXBIT = 30
    MAXDIM = 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        if dimension > self.MAXDIM or dimension < 1:
            raise ValueError(
                "Supported range of dimensionality for SobolEngine is "
                f"[1, {self.MAXDIM}], got {dimension}"
            )
        self.seed = seed
        self.scramble = scramble
        self.dimension = dimension
        self.sobolstate = rushlight.from_numpy(_directions(dimension, self.MAXBIT))
        if scramble:
            self._scramble()
        else:
            self.shift = rushlight.zeros(dimension, dtype=rushlight.int64)
        self.quasi = self.shift.clone()
        self._first_point = (self.quasi / 2**self.MAXBIT).reshape(1, -1)
        self.num_generated = 0

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next `n` points, (n, dimension), each coordinate in [0, 1).

        Args:
            n: how many.
            out: what the points are written to.
            dtype: of the points; the default float without one.
        """
        dtype = dtype or rushlight.get_default_dtype()
        first = self.num_generated == 0
        values = self._advance(n - 1 if first else n)
        result = rushlight.from_numpy(values).to(dtype).mul_(2.0**-self.MAXBIT)
        if first:
            result = rushlight.cat((self._first_point.to(dtype), result), dim=-2)
        if out is not None:
            return out.resize_as_(result).copy_(result)
        return result

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: Any = None) -> Tensor:
        """The next 2^m points, which are balanced if the number drawn stays a power of 2.

        Args:
            m: the exponent.
            out: what the points are written to.
            dtype: of the points; the default float without one.

        Raises ValueError if the number of points drawn would be no power of 2.
        """
        n = 2**m
        total = self.num_generated + n
        if total & (total - 1):
            raise ValueError(
                "The balance properties of Sobol' points require n to be a power of 2. "
                f"{self.num_generated} points have been previously generated, then: "
                f"n={self.num_generated}+2**{m}={total}. If you still want to do this, please use "
                "'SobolEngine.draw()' instead."
            )
        return self.draw(n=n, out=out, dtype=dtype)

    def reset(self) -> SobolEngine:
        """Begins again with the first point."""
        self.quasi.copy_(self.shift)
        self.num_generated = 0
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Leaves out the next `n` points."""
        self._advance(n - 1 if self.num_generated == 0 else n)
        return self

    def _advance(self, n: int) -> Any:
        """The next n points behind the first as integers, a NumPy array (n, dimension)."""
        import numpy

        start = max(self.num_generated - 1, 0)
        steps = numpy.arange(start, start + n, dtype=numpy.int64)
        lowest_zero = ~steps & (steps + 1)  # Gray code: one digit changes from point to point
        columns = numpy.log2(lowest_zero).astype(numpy.int64)
        changes = self.sobolstate.numpy().T[columns]
        self.num_generated += n if self.num_generated else n + 1
        if n <= 0:
            return changes
        changes[0] ^= self.quasi.numpy()
        points = numpy.bitwise_xor.accumulate(changes, axis=0)
        self.quasi.copy_(rushlight.from_numpy(points[-1]))
        return points

    def _scramble(self) -> None:
        import numpy

        generator = None
        if self.seed is not None:
            generator = rushlight.Generator()
            generator.manual_seed(self.seed)
        bits = self.MAXBIT
        digits = rushlight.randint(2, (self.dimension, bits), generator=generator)
        self.shift = digits @ (2 ** rushlight.arange(bits))
        drawn = rushlight.randint(2, (self.dimension, bits, bits), generator=generator)
        matrices = drawn.tril().numpy()
        matrices[:, range(bits), range(bits)] = 1
        high_first = numpy.arange(bits - 1, -1, -1)
        state = self.sobolstate.numpy()
        columns = (state[:, :, None] >> high_first) & 1  # (dimension, column, digit)
        mixed = numpy.einsum("dpm,djm->djp", matrices, columns) & 1
        state[:] = (mixed << high_first).sum(axis=-1)

    def __repr__(self) -> str:
        parts = [f"dimension={self.dimension}"]
        if self.scramble:
            parts.append("scramble=True")
        if self.seed is not None:
            parts.append(f"seed={self.seed}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _directions(dimension: int, bits: int) -> Any:
    """The direction numbers as a NumPy array of int64, (dimension, bits)."""
    try:
        from scipy.stats import _sobol
    except ImportError as error:
        raise ImportError(
            "SobolEngine: the direction numbers come from SciPy: pip install rushlight[scipy]"
        ) from error
    import numpy

    first = _sobol.get_poly_vinit("vinit", numpy.int64)[:dimension]
    polynomials = _sobol.get_poly_vinit("poly", numpy.int64)[:dimension]
    found = numpy.zeros((dimension, bits), numpy.int64)
    found[0] = 1
    degrees = numpy.log2(polynomials).astype(numpy.int64)
    for degree in set(degrees[1:].tolist()):
        rows = numpy.flatnonzero(degrees == degree)
        rows = rows[rows > 0]
        numbers, polynomial = found[rows], polynomials[rows]
        numbers[:, :degree] = first[rows, :degree]
        for j in range(degree, bits):
            numbers[:, j] = numbers[:, j - degree]
            for k in range(degree):
                factor = polynomial >> (degree - 1 - k) & 1
                numbers[:, j] ^= factor * (numbers[:, j - k - 1] << (k + 1))
        found[rows] = numbers
    return found << numpy.arange(bits - 1, -1, -1)
