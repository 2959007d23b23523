"""What libraries of layers import from inside torch.nn: sizes, types, copies of layers."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import rushlight as torch
from rushlight import nn


def test_one_for_each_dimension():
    sizes = nn.modules.utils
    assert sizes._pair(3) == (3, 3) and sizes._triple([1, 2, 3]) == (1, 2, 3)
    assert sizes._single(2) == (2,) and sizes._quadruple("ab") == ("a", "b")
    assert sizes._ntuple(5)(0) == (0,) * 5
    assert sizes._reverse_repeat_tuple((1, 2), 2) == (2, 2, 1, 1)
    assert sizes._list_with_default((None, 4), (1, 2, 3)) == [2, 4]
    assert sizes._list_with_default(7, (1, 2)) == 7
    with pytest.raises(ValueError, match="at least"):
        sizes._list_with_default((1, 2), (1, 2))


def test_prefix_of_a_wrapped_model():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = nn.DataParallel(model).state_dict()
    assert next(iter(state)) == "module.0.weight"
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == list(model.state_dict())
    assert set(state._metadata) == set(model.state_dict()._metadata)
    plain = OrderedDict(a=1)
    nn.modules.utils.consume_prefix_in_state_dict_if_present(plain, "module.")
    assert plain == {"a": 1}


def test_types_for_annotations():
    from rushlight.nn.common_types import _ratio_2_t, _size_2_opt_t, _size_2_t, _size_any_t

    assert int in _size_2_t.__args__ and tuple[int, int] in _size_2_t.__args__
    assert float in _ratio_2_t.__args__ and tuple[int, ...] in _size_any_t.__args__
    assert _size_2_opt_t is not None
    from rushlight.types import Device, FileLike, Number

    assert float in Number.__args__ and str in Device.__args__ and str in FileLike.__args__


def test_transformer_parts():
    from rushlight.nn.modules.transformer import _get_activation_fn, _get_clones

    copies = _get_clones(nn.Linear(2, 2), 3)
    assert len(copies) == 3 and copies[0].weight is not copies[1].weight
    assert _get_activation_fn("gelu") is nn.functional.gelu


def test_step_recorded_on_demand():
    from rushlight.optim.optimizer import ParamsT, _use_grad_for_differentiable

    class Own(torch.optim.Optimizer):
        def __init__(self, params: ParamsT, differentiable: bool) -> None:
            super().__init__(params, {"differentiable": differentiable})

        @_use_grad_for_differentiable
        def step(self, closure=None):
            return torch.is_grad_enabled()

    for differentiable in (False, True):
        assert Own([torch.ones(1)], differentiable).step() is differentiable
