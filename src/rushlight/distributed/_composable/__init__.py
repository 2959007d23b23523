"""Wrappers that do not change a module's class: only their names are there."""
