"""`torch.cond` and torch._higher_order_ops: control flow whose bodies are functions.

PyTorch compiles the bodies before it runs them. Here they run as they are, on the tape, so
gradients come from the ops in them, and a body may do what PyTorch's capture refuses (return its
input, print).
"""

from __future__ import annotations

from rushlight._higher_order_ops.associative_scan import associative_scan
from rushlight._higher_order_ops.cond import cond
from rushlight._higher_order_ops.map import map
from rushlight._higher_order_ops.scan import scan
from rushlight._higher_order_ops.while_loop import while_loop

__all__ = ["associative_scan", "cond", "map", "scan", "while_loop"]
