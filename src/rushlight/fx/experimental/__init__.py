"""torch.fx.experimental, tracing of programs: not there."""
