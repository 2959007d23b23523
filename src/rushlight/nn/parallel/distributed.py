"""DistributedDataParallel: averages gradients over processes, of which there is one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rushlight.nn.modules.module import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """Calls `module`, whose gradients are the average over a group of one process.

    Args:
        module: at least one of its parameters requires a gradient.
        device_ids, output_device: None, as for every module on the CPU.
        dim: of the batch.
        broadcast_buffers: buffers are those of rank 0 in any case.
        process_group: one of `torch.distributed`; the default group if left out.
        bucket_cap_mb, find_unused_parameters, check_reduction, gradient_as_bucket_view,
            static_graph, delay_all_reduce_named_params, param_to_hook_all_reduce, mixed_precision,
            device_mesh, skip_all_reduce_unused_params, batched_grad_copy: how gradients travel.

    Raises:
        ValueError: `torch.distributed.init_process_group` was not called, or there are device ids.
        RuntimeError: no parameter requires a gradient.
    """

    def __init__(
        self,
        module: Any,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: Any = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        delay_all_reduce_named_params: Any = None,
        param_to_hook_all_reduce: Any = None,
        mixed_precision: Any = None,
        device_mesh: Any = None,
        skip_all_reduce_unused_params: bool = False,
        bucket_cap_mb_list: Any = None,
        batched_grad_copy: bool = False,
    ) -> None:
        super().__init__()
        from importlib import import_module  # torch.distributed stands above the layers

        self.process_group = import_module("rushlight.distributed").member_of(process_group)
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        if device_ids or output_device is not None:
            raise ValueError(
                f"DistributedDataParallel: device_ids={device_ids} and output_device="
                f"{output_device} are for GPUs, and the module is on the CPU. Leave them out"
            )
        self.module = module
        self.device_ids = None
        self.output_device = None
        self.dim = dim
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.static_graph = static_graph
        self.require_backward_grad_sync = True
        self.require_forward_param_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module makes of the arguments."""
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A block in which gradients stay in their process."""
        before = self.require_backward_grad_sync
        self.require_backward_grad_sync = False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextmanager
    def join(
        self,
        divide_by_initial_world_size: bool = True,
        enable: bool = True,
        throw_on_early_termination: bool = False,
    ) -> Iterator[None]:
        """A block in which processes may have unequal numbers of batches."""
        yield

    def register_comm_hook(self, state: object, hook: Callable) -> None:
        """Raises NotImplementedError: gradients do not travel, so a hook would see none."""
        raise NotImplementedError(
            "DistributedDataParallel.register_comm_hook is not in rushlight: gradients stay in one "
            "process"
        )

    def _set_static_graph(self) -> None:
        self.static_graph = True
