"""The same training steps on rushlight, PyTorch and JAX, side by side: `python -m benchmarks`."""
