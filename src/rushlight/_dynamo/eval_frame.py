"""OptimizedModule: what `torch.compile` makes of a module."""

from __future__ import annotations

from typing import Any

from rushlight.nn.modules.module import Module

__all__ = ["OptimizedModule"]


class OptimizedModule(Module):
    """Calls the module `_orig_mod`, and is it in all but the names: "_orig_mod.weight".

    The names are why there is a wrapper where nothing is compiled: checkpoints of compiled models
    have them, and scripts reach the model by ``compiled._orig_mod``. Other attributes are read
    from the model, and set there.
    """

    def __init__(self, mod: Any, dynamo_ctx: Any = None) -> None:
        super().__init__()
        self.dynamo_ctx = dynamo_ctx  # what libraries tell a compiled module by; nothing reads it
        Module.__setattr__(self, "_orig_mod", mod)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module makes of the arguments."""
        return self._orig_mod(*args, **kwargs)

    @property
    def training(self) -> bool:  # type: ignore[override]
        """Whether the module is in training mode."""
        return self._orig_mod.training

    @training.setter
    def training(self, mode: bool) -> None:
        if "_orig_mod" in self.__dict__.get("_modules", ()):
            self._orig_mod.training = mode

    def __getattr__(self, name: str) -> Any:
        modules = self.__dict__.get("_modules", {})
        if name == "_orig_mod" or "_orig_mod" not in modules:
            if name in modules:
                return modules[name]
            message = f"'OptimizedModule' object has no attribute '{name}'"
            raise AttributeError(message, name=name, obj=self)
        return getattr(modules["_orig_mod"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        own = name in ("_orig_mod", "training") or name in self.__dict__ or hasattr(Module, name)
        if own or "_orig_mod" not in self.__dict__.get("_modules", ()):
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__ or name == "_orig_mod":
            super().__delattr__(name)
        else:
            delattr(self._orig_mod, name)

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod)})
