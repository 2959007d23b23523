"""Annotations of public classes can be read at run time, as libraries do for their subclasses."""

from __future__ import annotations

import typing

import pytest

import rushlight as torch

MODULES = (
    torch, torch.nn, torch.optim, torch.optim.lr_scheduler, torch.utils.data, torch.distributions,
    torch.autograd, torch.nn.utils.rnn, torch.nn.utils.parametrize, torch.amp,
)  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_annotations_can_be_read(module):
    unread = []
    for name, found in vars(module).items():
        if isinstance(found, type) and found.__module__.startswith("rushlight"):
            try:
                typing.get_type_hints(found)
            except NameError as error:
                unread.append(f"{name}: {error}")
    assert not unread
