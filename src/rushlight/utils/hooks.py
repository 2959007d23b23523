"""RemovableHandle, under PyTorch's path."""

from rushlight.autograd.graph import RemovableHandle

__all__ = ["RemovableHandle"]
