"""Pruning: what the masks are, how they are combined, and what removing leaves."""

import pytest

import rushlight as rl
from rushlight import nn
from rushlight.nn.utils import prune


def layer_with(values):
    layer = nn.Linear(len(values[0]), len(values))
    with rl.no_grad():
        layer.weight.copy_(rl.tensor(values))
    return layer


VALUES = [[1.0, -2.0, 3.0, -4.0], [5.0, -6.0, 7.0, -8.0], [0.1, 0.2, -0.3, 0.4]]


def test_l1_unstructured():
    layer = layer_with(VALUES)
    own = layer.weight
    assert prune.l1_unstructured(layer, "weight", 0.5) is layer
    assert layer.weight_mask.tolist() == [[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]
    assert layer.weight.tolist() == [[0, 0, 3, -4], [5, -6, 7, -8], [0, 0, 0, 0]]
    assert sorted(layer.state_dict()) == ["bias", "weight_mask", "weight_orig"]
    assert layer.weight_orig is own and prune.is_pruned(nn.Sequential(layer))
    layer(rl.ones(4)).sum().backward()
    assert own.grad.tolist() == layer.weight_mask.tolist()
    prune.l1_unstructured(layer, "weight", 2)  # of those that are left
    assert layer.weight_mask.sum().item() == 4 and layer.weight.tolist()[0] == [0, 0, 0, 0]
    prune.remove(layer, "weight")
    assert layer.weight is own and not prune.is_pruned(layer)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert own.tolist() == [[0, 0, 0, 0], [5, -6, 7, -8], [0, 0, 0, 0]]
    with pytest.raises(ValueError, match="has to be pruned before"):
        prune.remove(layer, "weight")


def test_importance_scores():
    layer = layer_with(VALUES)
    prune.l1_unstructured(layer, "weight", 4, importance_scores=-rl.tensor(VALUES).abs() + 9)
    assert layer.weight_mask.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]]
    with pytest.raises(AssertionError, match="same shape"):
        prune.l1_unstructured(layer, "weight", 1, importance_scores=rl.ones(2))


def test_structured():
    layer = layer_with(VALUES)
    prune.ln_structured(layer, "weight", 1, n=2, dim=0)
    assert layer.weight_mask.tolist() == [[1] * 4, [1] * 4, [0] * 4]
    prune.ln_structured(layer, "weight", 0.5, n=1, dim=1)
    assert layer.weight_mask.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0] * 4]
    prune.l1_unstructured(layer, "weight", 1)
    assert layer.weight_mask.tolist() == [[0, 0, 0, 1], [0, 0, 1, 1], [0] * 4]
    assert len(next(iter(layer._forward_pre_hooks.values()))) == 3


def test_random():
    rl.manual_seed(0)
    layer = layer_with(VALUES)
    prune.random_unstructured(layer, "weight", 5)
    assert layer.weight_mask.sum().item() == 7
    layer = layer_with(VALUES)
    prune.random_structured(layer, "weight", 2, dim=1)
    assert sorted(layer.weight_mask.sum(0).tolist()) == [0, 0, 3, 3]
    prune.random_structured(layer_with(VALUES), "weight", 0, dim=1)
    prune.identity(layer, "bias")
    assert layer.bias_mask.tolist() == [1, 1, 1]


def test_custom_and_global():
    one, two = layer_with(VALUES), layer_with([[9.0, 0.05]])
    prune.custom_from_mask(one, "bias", rl.tensor([1.0, 0.0, 1.0]))
    assert one.bias[1].item() == 0
    pairs = [(one, "weight"), (two, "weight")]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=6)
    assert two.weight.tolist() == [[9, 0]]
    assert one.weight_mask.tolist() == [[0, 1, 1, 1], [1] * 4, [0] * 4]
    with pytest.raises(TypeError, match='Only "unstructured"'):
        prune.global_unstructured(pairs, prune.LnStructured, amount=1, n=2)


def test_own_method_and_tensors():
    class Even(prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = layer_with(VALUES)
    Even.apply(layer, "weight")
    assert layer.weight_mask.tolist() == [[0, 1, 0, 1]] * 3
    Even.apply(layer, "weight")
    assert layer.weight_mask.sum().item() == 3
    assert Even().prune(rl.arange(4.0)).tolist() == [0, 1, 0, 3]


@pytest.mark.parametrize(
    ("use", "error", "text"),
    [
        (lambda m: prune.l1_unstructured(m, "weight", "a"), TypeError, "Invalid type for amount"),
        (lambda m: prune.l1_unstructured(m, "weight", -1), ValueError, "amount=-1 should either"),
        (lambda m: prune.l1_unstructured(m, "weight", 1.5), ValueError, r"in the range \[0, 1\]"),
        (lambda m: prune.l1_unstructured(m, "weight", 13), ValueError, "amount=13 should be"),
        (lambda m: prune.ln_structured(m, "bias", 1, 2, 0), ValueError, "multidimensional"),
        (lambda m: prune.ln_structured(m, "weight", 1, 2, 3), IndexError, "Invalid index 3"),
        (lambda m: prune.custom_from_mask(m, "weight", rl.ones(2)), AssertionError, "must match"),
    ],
)
def test_errors_leave_the_parameter(use, error, text):
    layer = layer_with(VALUES)
    with pytest.raises(error, match=text):
        use(layer)
    assert sorted(dict(layer.named_parameters())) == ["bias", "weight"]


def test_container():
    method = prune.L1Unstructured(1)
    method._tensor_name = "weight"
    container = prune.PruningContainer(method)
    assert len(container) == 1 and list(container) == [method] and container[0] is method
    with pytest.raises(TypeError, match="BasePruningMethod subclass"):
        container.add_pruning_method(3)
    other = prune.Identity()
    other._tensor_name = "bias"
    with pytest.raises(ValueError, match="Found 'bias'"):
        container.add_pruning_method(other)
