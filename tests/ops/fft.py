"""Rows of rushlight.ops.fft."""

import numpy as np

from ops.row import Row, case

REAL = ("float32", "float64", "int64")
BOTH = ("float32", "float64", "complex64", "complex128")
MORE = {"tol": 10, "result": None, "exact": False}
EMPTY = (RuntimeError, "data points (")


def one(make):
    x = make(3, 6)
    found = [case(x), case(x, 4), case(x, 7), case(x, None, 0), case(make(2, 5, 2), None, 1, "ortho")]
    return [*found, case(x, 5, 1, "forward"), case(make(7), norm="backward"), case(make(2))]


def several(make):
    x = make(2, 3, 4)
    return [case(x), case(x, (2, 5)), case(x, None, (0, 2)), case(x, (3, 4), (1, 0), "ortho"),
            case(x, None, (1,), "forward"), case(x, (-1, 3))]  # fmt: skip


def two(make):
    x = make(2, 4, 5)
    return [case(x), case(x, (3, 6)), case(x, None, (0, 1), "ortho"), case(x, norm="forward")]


def of_one(f):
    return lambda x, n=None, dim=-1, norm=None: f(x, n, dim, norm)


def of_several(f, default=None):
    def ref(x, s=None, dim=default, norm=None):
        axes = dim if dim is not None else range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
        axes = tuple(d % x.ndim for d in axes)
        if s is not None:
            s = tuple(x.shape[d] if n == -1 else n for d, n in zip(axes, s))
        return f(x, s, axes, norm)

    return ref


OPPOSITE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _hfftn(x, s, axes, norm):
    return np.fft.irfftn(x.conj(), s, axes, OPPOSITE[norm])


def _ihfftn(x, s, axes, norm):
    return np.fft.rfftn(x, s, axes, OPPOSITE[norm]).conj()


def row(name, samples, ref, dtypes, grad, **more):
    def call(rl):
        return getattr(rl.fft, name)

    complaints = [
        (RuntimeError, "normalization", lambda rl: call(rl)(rl.ones(4, 4), norm="x")),
        (RuntimeError, "dtype", lambda rl: call(rl)(rl.ones(4, 4).half())),
        (IndexError, "range", lambda rl: call(rl)(rl.ones(4, 4), dim=5 if samples is one else (5,))),
        (*EMPTY, lambda rl: call(rl)(rl.ones(4, 0))),
    ]
    if grad == "f":
        complaints.append((RuntimeError, "real input", lambda rl: call(rl)(rl.ones(4, 4) * 1j)))
    if samples is not one:
        complaints.append((RuntimeError, "unique", lambda rl: call(rl)(rl.ones(4, 4), dim=(0, 0))))
        complaints.append(
            (RuntimeError, "same length", lambda rl: call(rl)(rl.ones(4, 4), (2,), (0, 1)))
        )
    Row(f"fft.{name}", samples, ref, dtypes=dtypes, grad=grad, errors=tuple(complaints),
        covers=(f"fft_{name}", "_c2c", "_r2c", "_c2r"), **MORE, **more)  # fmt: skip


for _name in ("fft", "ifft"):
    row(_name, one, of_one(getattr(np.fft, _name)), BOTH, "fc")
    row(f"{_name}n", several, of_several(getattr(np.fft, f"{_name}n")), BOTH, "fc")
    row(f"{_name}2", two, of_several(getattr(np.fft, f"{_name}n"), (-2, -1)), BOTH, "fc")
row("rfft", one, of_one(np.fft.rfft), REAL, "f")
row("rfftn", several, of_several(np.fft.rfftn), REAL, "f")
row("rfft2", two, of_several(np.fft.rfftn, (-2, -1)), REAL, "f")
row("ihfft", one, of_one(np.fft.ihfft), REAL, "f")
row("ihfftn", several, of_several(_ihfftn), REAL, "f")
row("ihfft2", two, of_several(_ihfftn, (-2, -1)), REAL, "f")
row("irfft", one, of_one(np.fft.irfft), BOTH, "fc")
row("irfftn", several, of_several(np.fft.irfftn), BOTH, "fc")
row("irfft2", two, of_several(np.fft.irfftn, (-2, -1)), BOTH, "fc")
row("hfft", one, of_one(np.fft.hfft), BOTH, "fc")
row("hfftn", several, of_several(_hfftn), BOTH, "fc")
row("hfft2", two, of_several(_hfftn, (-2, -1)), BOTH, "fc")

for _name in ("fftfreq", "rfftfreq"):
    Row(f"fft.{_name}", lambda make: [case(5), case(6, 0.25), case(1), case(8, d=2.0)],
        getattr(np.fft, _name), dtypes=("float32",), grad="", covers=(f"fft_{_name}",),
        errors=((RuntimeError, "dtype",
                 lambda rl, f=_name: getattr(rl.fft, f)(3, dtype=rl.int64)),))  # fmt: skip
for _name in ("fftshift", "ifftshift"):
    Row(f"fft.{_name}", lambda make: [case(make(5)), case(make(3, 4)), case(make(3, 4), 1),
                                      case(make(3, 4), (0, 1))],
        getattr(np.fft, _name), dtypes="ific", grad="fc", covers=(f"fft_{_name}",))  # fmt: skip
