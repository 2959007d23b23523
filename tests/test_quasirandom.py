"""Sobol sequences."""

from __future__ import annotations

import pytest

import rushlight as torch
from rushlight.quasirandom import SobolEngine

pytest.importorskip("scipy", reason="the direction numbers come from SciPy")


def test_points_are_those_of_scipy():
    from scipy.stats import qmc

    for dimension in (1, 5, 40):
        wanted = qmc.Sobol(dimension, scramble=False, bits=30).random(64)
        found = SobolEngine(dimension).draw(64, dtype=torch.float64)
        assert (found.numpy() == wanted).all()


def test_pieces_make_the_same_sequence():
    whole = SobolEngine(3, scramble=True, seed=4).draw(20)
    engine = SobolEngine(3, scramble=True, seed=4)
    parts = [engine.draw(1), engine.draw(6)]
    engine.fast_forward(5)
    parts.append(engine.draw(8))
    assert torch.equal(torch.cat(parts), torch.cat((whole[:7], whole[12:])))
    assert torch.equal(engine.reset().draw(20), whole)
    skipped = SobolEngine(3, scramble=True, seed=4).fast_forward(3)
    assert torch.equal(skipped.draw(2), whole[3:5])


def test_scrambled_points_have_one_per_cell():
    points = SobolEngine(2, scramble=True, seed=1).draw_base2(4)
    for axis in range(2):
        assert sorted((points[:, axis] * 16).long().tolist()) == list(range(16))
    assert not torch.equal(points, SobolEngine(2, scramble=True, seed=2).draw(16))


def test_a_scrambled_sequence_of_pytorch():
    engine = SobolEngine(7, scramble=True, seed=5)
    assert engine.shift[:3].tolist() == [515708045, 125905764, 133132919]
    assert engine.sobolstate[0, :3].tolist() == [780668532, 381457825, 213720458]


def test_arguments():
    with pytest.raises(ValueError, match=r"\[1, 21201\], got 0"):
        SobolEngine(0)
    engine = SobolEngine(2, scramble=True, seed=3)
    assert repr(engine) == "SobolEngine(dimension=2, scramble=True, seed=3)"
    engine.draw(3)
    with pytest.raises(ValueError, match="power of 2"):
        engine.draw_base2(1)
    out = torch.empty(1)
    assert SobolEngine(2).draw(3, out=out) is out and out.shape == (3, 2)
