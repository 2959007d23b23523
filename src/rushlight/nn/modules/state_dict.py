"""The part of Module that saves and loads its state: parameters, buffers, extra state by name."""

from __future__ import annotations

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.tensor import Tensor

from ..parameter import Parameter, is_lazy
from .hooks import Hooks
from .tree import Tree

if TYPE_CHECKING:
    pass

EXTRA_STATE = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What ``load_state_dict(strict=False)`` could not match."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class StateDict(Hooks, Tree):
    """The part of Module that saves and loads state.

    A class whose state changes from one release to the next raises ``_version``; it is saved with
    the state, and ``_load_from_state_dict`` of the class finds it in ``local_metadata`` and can
    bring older state up to date.
    """

    _version: int = 1

    def get_extra_state(self) -> Any:
        """What to save beside tensors, under ``_extra_state``.

        For subclasses, with :meth:`set_extra_state`; without it nothing is saved.
        """
        raise RuntimeError(f"get_extra_state: {type(self).__name__} does not define it")

    def set_extra_state(self, state: Any) -> None:
        """Take back what :meth:`get_extra_state` gave."""
        raise RuntimeError(f"set_extra_state: {type(self).__name__} does not define it")

    def _has_own(self, name: str) -> bool:
        """Whether a subclass has defined get_extra_state or set_extra_state."""
        return getattr(type(self), name) is not getattr(StateDict, name)

    # ---------------------------------------------------------------- saving

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        """Put the state of this module, not of its children, into `destination`."""
        for name, param in self._parameters.items():
            if param is not None:
                destination[prefix + name] = param if keep_vars else param.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if self._has_own("get_extra_state"):
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Parameters and persistent buffers of this module and all below, by dotted name.

        The tensors share memory with the module's and are detached from autograd.

        Args:
            destination: a dict to fill and return; a new OrderedDict otherwise.
            prefix: put before each name.
            keep_vars: give the parameters themselves, not detached.
        """
        if args:
            warnings.warn(
                "state_dict: positional arguments are deprecated; name them",
                FutureWarning,
                stacklevel=2,
            )
            given = dict(zip(("destination", "prefix", "keep_vars"), args))
            destination = given["destination"] if destination is None else destination
            prefix = given.get("prefix", "") if prefix == "" else prefix
            keep_vars = given.get("keep_vars", False) if keep_vars is False else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        if self._state_hooked:
            for hook in self._state_dict_pre_hooks.values():
                hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        if self._state_hooked:
            destination = self._run_state_dict_hooks(destination, prefix, metadata)
        return destination

    def _run_state_dict_hooks(self, destination: Any, prefix: str, metadata: dict) -> Any:
        for hook in self._state_dict_hooks.values():
            replaced = hook(self, destination, prefix, metadata)
            if replaced is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = replaced
        return destination

    # ---------------------------------------------------------------- loading

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy the tensors of `state_dict` into this module and all below.

        Args:
            state_dict: tensors by dotted name, as :meth:`state_dict` gives them.
            strict: raise unless the names are exactly those of this module.
            assign: put the tensors in place of the module's instead of copying; they keep their
                dtype, and a parameter keeps its ``requires_grad``.

        Returns:
            the lists ``missing_keys`` and ``unexpected_keys``.

        Raises:
            RuntimeError: with everything that did not fit, shapes and (if `strict`) names.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state: Any = OrderedDict(state_dict)  # hooks may change it
        if metadata is not None:
            state._metadata = metadata
        keys = _IncompatibleKeys([], [])
        errors: list[str] = []
        _load(self, state, "", metadata, assign, keys, errors)
        if strict:
            for what, names in (
                ("Unexpected", keys.unexpected_keys),
                ("Missing", keys.missing_keys),
            ):
                if names:
                    listed = ", ".join(f'"{name}"' for name in names)
                    errors.insert(0, f"{what} key(s) in state_dict: {listed}. ")
        if errors:
            listed = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}"
            )
        return keys

    def _load_from_state_dict(
        self,
        state_dict: dict,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own entries of `state_dict`, all of whose names begin with `prefix`.

        Raises nothing: what is wrong is added to the three lists. Subclasses extend it to accept
        older state.
        """
        if self._state_hooked:
            lists = (missing_keys, unexpected_keys, error_msgs)
            for hook in self._load_state_dict_pre_hooks.values():
                hook(state_dict, prefix, local_metadata, strict, *lists)
        temporary = self._non_persistent_buffers_set
        own: dict[str, Tensor] = {
            name: param for name, param in self._parameters.items() if param is not None
        }
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in temporary:
                own[name] = buffer
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                self._load_tensor(key, name, tensor, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        extra = prefix + EXTRA_STATE
        if self._has_own("set_extra_state"):
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if not strict:
            return
        for key in state_dict:
            if key.startswith(prefix) and key != extra:
                head, dot, _ = key[len(prefix) :].partition(".")
                if head not in (self._modules if dot else own):
                    unexpected_keys.append(key)

    def _load_tensor(
        self, key: str, name: str, own: Tensor, new: Any, assign: bool, error_msgs: list[str]
    ) -> None:
        """Copy or assign one entry; what is wrong goes to `error_msgs`."""
        if not isinstance(new, Tensor):
            error_msgs.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
                f"object from checkpoint but received {type(new)}"
            )
            return
        if is_lazy(own) and is_lazy(new):  # neither has values
            return
        if own.dim() == 0 and tuple(new.shape) == (1,):
            new = new[0]  # what PyTorch before 0.4 saved for a scalar
        if new.shape != own.shape:
            error_msgs.append(
                f"size mismatch for {key}: copying a param with shape {new.shape} from checkpoint, "
                f"the shape in current model is {own.shape}."
            )
            return
        try:
            with rushlight.no_grad():
                if not assign:
                    if own.is_meta and not new.is_meta:
                        warnings.warn(
                            f"for {key}: copying from a non-meta parameter in the checkpoint to a "
                            "meta parameter in the current module, which is a no-op. (Did you mean "
                            "to pass `assign=True` to assign items in the state dictionary to "
                            "their corresponding key in the module instead of copying them in "
                            "place?)",
                            stacklevel=2,
                        )
                    own.copy_(new)
                    return
                if isinstance(own, Parameter):
                    if isinstance(new, Parameter):
                        new.requires_grad_(own.requires_grad)
                    else:
                        new = Parameter(new, requires_grad=own.requires_grad)
                setattr(self, name, new)
        except Exception as error:
            error_msgs.append(
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{own.size()} and whose dimensions in the checkpoint are {new.size()}, an "
                f"exception occurred : {error.args}."
            )


def _load(
    module: StateDict,
    state_dict: dict,
    prefix: str,
    metadata: dict | None,
    assign: bool,
    keys: _IncompatibleKeys,
    errors: list[str],
) -> None:
    """Load `module` and then its children."""
    local = {} if metadata is None else metadata.get(prefix[:-1], {})
    if assign:
        local = {**local, "assign_to_params_buffers": True}
    # The names are always matched; load_state_dict decides whether that is an error.
    module._load_from_state_dict(
        state_dict, prefix, local, True, keys.missing_keys, keys.unexpected_keys, errors
    )
    for name, child in module._modules.items():
        if child is not None:
            below = f"{prefix}{name}."
            part = {key: value for key, value in state_dict.items() if key.startswith(below)}
            _load(child, part, below, metadata, assign, keys, errors)
    if not module._state_hooked:
        return
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, keys) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                "return new values, if incompatible_keys need to be modified, it should be done "
                "inplace."
            )
