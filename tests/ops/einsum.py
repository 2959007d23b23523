"""Rows of rushlight.ops.einsum."""

import numpy as np

from ops.row import Row, case

EQUATIONS = {
    "ij,jk->ik": ((2, 3), (3, 4)), "bij,bjk->bik": ((5, 2, 3), (5, 3, 2)), "ij->ji": ((2, 3),),
    "ii->i": ((3, 3),), "ii": ((3, 3),), "ij,ij->": ((2, 3), (2, 3)), "i,j->ij": ((2,), (3,)),
    "...ij,jk->...ik": ((2, 2, 3), (3, 4)), "ij,k": ((2, 2), (3,)), "ba": ((2, 3),),
    "ij,jk,kl->il": ((2, 3), (3, 4), (4, 2)), "bhid,bhjd->bhij": ((2, 2, 3, 4), (2, 2, 5, 4)),
    "a...,...b->ab": ((2, 3), (3, 4)), "i->": ((3,),), "ij->j": ((2, 3),),
    "ab,cd->acbd": ((2, 3), (2, 4)), "ab,bc->ca": ((2, 3), (3, 4)), "abc->cb": ((2, 3, 4),),
    "abc,abd->dca": ((2, 3, 4), (2, 3, 2)), "abx,ac->cb": ((2, 3, 2), (2, 4)),
    "ab,ac,ad->dcba": ((2, 3), (2, 2), (2, 4)), "abc,cd->dba": ((2, 3, 4), (4, 2)),
}  # fmt: skip


def _samples(make):
    return [case(e, *(make(*shape) for shape in shapes)) for e, shapes in EQUATIONS.items()]


def wrong(equation, *shapes):
    return lambda rl: rl.einsum(equation, *(rl.ones(*s) for s in shapes))


def _einsum(equation, *operands):
    if equation == "a...,...b->ab":  # here the dots are summed over
        equation = "ac,cb->ab"
    return np.einsum(equation, *operands)


Row(
    "einsum", _samples, _einsum, dtypes=("float32", "float64", "int64", "complex128"), tol=20,
    grad="fc", result=None, method=False, exact=False,
    errors=(
        (RuntimeError, "sizes", wrong("ij,jk->ik", (2, 3), (2, 3))),
        (RuntimeError, "number of subscripts", wrong("ij->i", (2, 3, 4))),
        (RuntimeError, "does not appear", wrong("ij->k", (2, 3))),
        (ValueError, "operands", wrong("ij,jk->ik", (2, 3))),
        (ValueError, "subscript", wrong("i1->i", (2, 3))),
    ),
)  # fmt: skip
