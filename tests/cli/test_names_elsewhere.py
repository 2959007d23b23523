"""Names that scripts import from inside torch, under `rushlight run`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

IMPORTS = """
import torch.nn.parallel
import torch.autograd.profiler
import torch.utils.model_zoo
from torch.serialization import add_safe_globals, load
from torch.autograd.variable import Variable
from torch.autograd.grad_mode import no_grad
from torch.autograd.anomaly_mode import detect_anomaly
from torch.autograd.profiler import profile, record_function
from torch.functional import F, Tensor, einsum
from torch.futures import Future
from torch.hub import download_url_to_file, tqdm
from torch.jit import fork, wait
from torch.jit.annotations import List, Tuple
from torch.nn.common_types import _size_2_t
from torch.nn.grad import conv2d_weight
from torch.nn.modules.module import _addindent
from torch.nn.modules.pixelshuffle import PixelShuffle
from torch.nn.modules.transformer import _get_activation_fn, _get_clones
from torch.nn.modules.utils import _pair, _triple
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.optim.optimizer import Optimizer, ParamsT, required
from torch.torch_version import TorchVersion
from torch.types import Device, Number
from torch.utils.benchmark import Timer
from torch.utils.data._utils.collate import default_collate, default_convert
from torch.utils.data._utils.worker import get_worker_info
from torch._tensor import Tensor
from torch._C import default_generator
from torch.cuda import FloatTensor
from functorch import make_functional, vmap
import torch.quantization
import torch.autograd.profiler_util
from torch import ScriptModule, SymInt, float8_e4m3fn
from torch._C import DisableTorchFunctionSubclass, _TensorMeta
from torch._C._functorch import is_batchedtensor
from torch._dynamo.utils import is_compile_supported
from torch._jit_internal import boolean_dispatch
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensor, is_fake
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.amp.grad_scaler import OptState
from torch.ao.nn.quantized import FloatFunctional
from torch.ao.quantization import DeQuantStub, QuantStub, fuse_modules
from torch.distributed._composable.fsdp import FSDPModule
from torch.distributed._tensor.experimental import implicit_replication
from torch.export import ExportedProgram
from torch.fx.experimental.proxy_tensor import get_proxy_mode
from torch.hub import HASH_REGEX, _get_torch_home, urlparse
from torch.jit.annotations import BroadcastingList2
from torch.nn.attention.flex_attention import _DEFAULT_SPARSE_BLOCK_SIZE
from torch.nn.modules.module import _EXTRA_STATE_KEY_SUFFIX
from torch.nn.utils._named_member_accessor import swap_tensor
from torch.onnx import symbolic_opset11
from torch.onnx.symbolic_helper import parse_args
from torch.serialization import DEFAULT_PROTOCOL
from torch.utils._contextlib import _DecoratorContextManager
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data._utils.collate import np_str_obj_array_pattern
from torch.utils.data._utils.worker import _generate_state
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter
from torch.utils.model_zoo import tqdm
from torch.utils.weak import WeakIdKeyDictionary
assert torch.__name__ == "torch" and torch.torch is torch
"""


@pytest.fixture
def run(tmp_path):
    def call(code: str) -> str:
        path = tmp_path / "script.py"
        path.write_text(code)
        done = subprocess.run(
            [sys.executable, "-m", "rushlight", "run", str(path)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_they_are_found(run):
    assert run(IMPORTS + "print('all')") == "all\n"


def test_they_are_the_same_things(run):
    code = """
import torch
import torch.serialization, torch.nn.modules.utils, torch.autograd.grad_mode
print(torch.serialization.load is torch.load, torch.autograd.grad_mode.no_grad is torch.no_grad)
from torch.functional import F
print(F is torch.nn.functional, torch.nn.modules.utils._pair(2), torch.autograd.profiler.profile)
"""
    assert run(code) == "True True\nTrue (2, 2) <class 'rushlight.profiler.profile'>\n"


def test_a_function_stays_where_its_module_has_the_same_name(run):
    code = """
import torch
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.nn.parallel.data_parallel import DataParallel
from torch.utils.checkpoint import checkpoint
layer = torch.nn.utils.spectral_norm(torch.nn.utils.weight_norm(torch.nn.Linear(2, 2), 'bias', 0))
print(type(layer).__name__, callable(torch.nn.parallel.data_parallel))
"""
    assert run(code) == "Linear True\n"


def test_old_checks_for_cuda_tensors(run):
    code = """
import torch
x = torch.ones(2)
print(isinstance(x.data, torch.cuda.FloatTensor), torch.cuda.FloatTensor)
try:
    torch.cuda.LongTensor(3)
except RuntimeError as error:
    print('RuntimeError')
print(torch.jit.wait(torch.jit.fork(torch.add, x, 1)).tolist())
print(sum(torch.hub.tqdm([1, 2, 3], disable=True)))
"""
    expected = "False <class 'torch.cuda.FloatTensor'>\nRuntimeError\n[2.0, 2.0]\n6\n"
    assert run(code) == expected


def test_a_whole_module_with_the_names_allowed(run):
    code = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

    def forward(self, x):
        return self.layers(x)

net = Net().eval()
torch.save(net, 'net.pt')
allowed = [Net, nn.Linear, nn.Sequential, nn.BatchNorm1d]
torch.serialization.add_safe_globals(allowed)
loaded = torch.load('net.pt')
x = torch.randn(4, 2)
print(type(loaded).__name__, torch.equal(loaded(x), net(x)), len(list(loaded.parameters())))
"""
    assert run(code) == "Net True 4\n"


def test_types_have_the_names_of_torch(run):
    code = """
import pickle, torch
x = torch.ones(2)
print(type(x), type(x.dtype), type(x.shape), type(x.device), torch.finfo, sep=' ')
print(pickle.loads(pickle.dumps([x, x.dtype, x.shape, x.device, torch.Tensor]))[3], x.volatile)
torch.save([x, x.shape, x.device], 'x.pt')
print(torch.load('x.pt')[1:])
"""
    shown = " ".join(f"<class 'torch.{n}'>" for n in ("Tensor", "dtype", "Size", "device", "finfo"))
    found = run(code).splitlines()
    assert found[0] == shown and found[1] == "cpu False"
    assert found[2] == "[torch.Size([2]), device(type='cpu')]"


def test_the_folder_of_func_leaves_its_functions_alone(run):
    code = """
import torch, torch._functorch.vmap
from torch._functorch.vmap import _maybe_remove_batch_dim, tree_flatten
from torch._functorch import vjp, vmap
from torch._functorch.eager_transforms import grad
print(torch.vmap is torch.func.vmap, vmap.vmap is torch.vmap, grad is torch.func.grad)
"""
    assert run(code) == "True True True\n"


def test_a_method_that_a_library_puts_on_tensor_ends_quietly(tmp_path):
    (tmp_path / "patching.py").write_text(
        "from torch import *\nfrom torch import Tensor\n"
        "def twice(self):\n    return 2 * self\nTensor.twice = twice\n"
    )
    path = tmp_path / "script.py"
    path.write_text("import torch, patching\nprint(torch.ones(1).twice().item())\n")
    done = subprocess.run(
        [sys.executable, "-m", "rushlight", "run", str(path)], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("2.0\n", "")
