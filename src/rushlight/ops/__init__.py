"""The ops, by family: forward, derivative and documentation of each in one place."""
