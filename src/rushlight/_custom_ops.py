"""torch._custom_ops, what torch.library was before: the same functions."""

from __future__ import annotations

from rushlight.library import get_ctx as get_ctx
from rushlight.library import impl_abstract as impl_abstract
