"""Results of einsum lie in memory as PyTorch's, for programs view them in other shapes."""

import pytest

import rushlight as rl

torch = pytest.importorskip("torch")

SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 6}
EQUATIONS = [
    "ab,cd->acbd", "a,b->ba", "ab,c->cab", "ab,ab->ba", "ab,bc->ca", "ab,bc->ac", "abc,cd->dba",
    "abc,abd->dca", "abc,adc->adb", "abc,adc->abd", "abc,c->ba", "abc->cb", "abc->ca", "ab,ac->acb",
    "eab,ecb->cea", "ab,ac->bca", "abcd,ec->abed", "abcd,cdbe->ae", "abcd,abce->adbe", "bc,db->dc",
    "abc,db->dc", "db,abc->dc", "abc,bd->dc", "ab,bc,cd->da", "ab,bc,cd->ad", "ab,ac,ad->dcba",
]  # fmt: skip


@pytest.fixture(autouse=True)
def from_left_to_right():
    """PyTorch takes the operands in another order where opt_einsum is installed."""
    before = torch.backends.opt_einsum.enabled
    torch.backends.opt_einsum.enabled = False
    yield
    torch.backends.opt_einsum.enabled = before


def _operands(lib, equation, backwards):
    for term in equation.split("->")[0].split(","):
        sizes = [SIZES[letter] for letter in term]
        if backwards:
            yield lib.ones(sizes[::-1]).permute(*range(len(sizes))[::-1])
        else:
            yield lib.ones(sizes)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("equation", EQUATIONS)
def test_strides(equation, backwards):
    got = rl.einsum(equation, *_operands(rl, equation, backwards))
    want = torch.einsum(equation, *_operands(torch, equation, backwards))
    assert (tuple(got.shape), got.stride()) == (tuple(want.shape), want.stride())


def test_a_kronecker_product_can_be_viewed_as_a_matrix():
    a, b = rl.arange(6.0).view(2, 3), rl.arange(20.0).view(4, 5)
    assert rl.equal(rl.einsum("ab,cd->acbd", a, b).view(8, 15), rl.kron(a, b))
