"""Loads damaged and hostile checkpoints: `python tests/io/mutations.py --count 10000`.

Each file is made from good ones by a seeded random change. Loading it may raise one of four
exceptions, or give exactly what was saved (a change of bytes that mean nothing), or, where the
pickle was changed with its checksum put right, some object whose tensors can be read. Anything
else is a failure: another exception, other values, code of the file that ran (an audit hook
listens), more than two seconds of processor time, or more than a gigabyte of memory.
"""

from __future__ import annotations

import argparse
import io
import pickle
import random
import resource
import signal
import struct
import sys
import tempfile
import warnings
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import numpy  # noqa: F401  which load imports for the other byte order: it is no code of the file

import rushlight as rl
from rushlight.io.archive import ArchiveWriter

ERRORS = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError)
SECONDS, MEMORY = 2, 1 << 30


# ---- good files


def saved(obj):
    file = io.BytesIO()
    rl.save(obj, file)
    return file.getvalue()


def originals():
    rl.manual_seed(0)
    model = rl.nn.Sequential(rl.nn.Linear(5, 7), rl.nn.BatchNorm1d(7), rl.nn.Linear(7, 2))
    optimizer = rl.optim.Adam(model.parameters())
    model(rl.rand(4, 5)).sum().backward()
    optimizer.step()
    base = rl.arange(40.0)
    kinds = [rl.bool, rl.uint8, rl.int64, rl.float16, rl.bfloat16, rl.float64, rl.complex64]
    kinds += [rl.uint16, rl.uint64]
    return [
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3},
        {"views": [base[2:9], base[::2].reshape(4, 5).t(), base], "s": {1, "a"}, "t": (1, b"x")},
        OrderedDict((str(kind), rl.arange(6).to(kind)) for kind in kinds),
    ]


def tensors_in(obj, limit=10_000):
    """The tensors of nested containers, each once."""
    pending, seen, found = [obj], set(), []
    while pending and len(seen) < limit:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, rl.Tensor):
            found.append(item)
        elif isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, (list, tuple, set, frozenset)):
            pending += item
    return found


def fingerprint(obj):
    """Everything that was saved, as text."""
    if isinstance(obj, rl.Tensor):
        about = (obj.dtype, tuple(obj.shape), obj.stride(), obj.storage_offset(), obj.requires_grad)
        return f"{about}{obj.tolist()}"
    if isinstance(obj, dict):
        return str([(repr(key), fingerprint(value)) for key, value in obj.items()])
    if isinstance(obj, (list, tuple)):
        return f"{type(obj)}{[fingerprint(item) for item in obj]}"
    return f"{type(obj)}{obj!r}"


# ---- damage: the result is an error or what was saved


def flip(data, rng, files):
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def truncate(data, rng, files):
    del data[rng.randrange(len(data)) :]


def cut_out(data, rng, files):
    start = rng.randrange(len(data))
    del data[start : start + rng.choice((1, 4, 64, 500))]


def splice(data, rng, files):
    """A piece of another file, or of another place, over or between what is there."""
    other = rng.choice(files)
    start, size = rng.randrange(len(other)), rng.choice((1, 8, 64, 1000))
    piece = other[start : start + size]
    at = rng.randrange(len(data))
    data[at : at + (len(piece) if rng.random() < 0.7 else 0)] = piece


def zero(data, rng, files):
    start = rng.randrange(len(data))
    size = len(data[start : start + rng.choice((4, 64, 512))])
    data[start : start + size] = bytes(size)


def append(data, rng, files):
    data += rng.randbytes(rng.choice((1, 22, 70_000)))


# ---- malice: all checksums right


def numbers_of_directory(data, rng, files):
    """Other sizes, offsets and flags in a header or the directory."""
    sign, fields = rng.choice(
        (
            (b"PK\x01\x02", (4, 6, 8, 10, 16, 20, 24, 28, 30, 32, 34, 36, 42)),
            (b"PK\x03\x04", (4, 6, 8, 14, 18, 22, 26, 28)),
            (b"PK\x05\x06", (4, 6, 8, 10, 12, 16, 20)),
        )
    )
    places = [at for at in range(len(data) - 46) if data[at : at + 4] == sign]
    if places:
        at = rng.choice(places) + rng.choice(fields)
        value = rng.choice((0, 1, 64, len(data), 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF))
        size = rng.choice((2, 4))
        data[at : at + size] = struct.pack("<Q", value)[:size]


def packed(pickled, records):
    file = io.BytesIO()
    writer = ArchiveWriter(file.write, "archive")
    writer.record("data.pkl", pickled)
    for key, record in records.items():
        writer.record(key, record)
    writer.record("version", b"3\n")
    writer.close()
    return bytearray(file.getvalue())


def parts(data):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    return names.pop("data.pkl"), {name: names[name] for name in names if name[:5] == "data/"}


def pickle_bytes(data, rng, files):
    pickled, records = parts(rng.choice(files))
    pickled = bytearray(pickled)
    for _ in range(rng.choice((1, 1, 2, 4))):
        pickled[rng.randrange(len(pickled))] = rng.choice(OPCODES + [rng.randrange(256)])
    data[:] = packed(bytes(pickled), records)


def pickle_pieces(data, rng, files):
    pickled, records = parts(rng.choice(files))
    for _ in range(rng.choice((1, 2, 3))):
        start, at = rng.randrange(len(pickled)), rng.randrange(len(pickled))
        piece = pickled[start : start + rng.choice((1, 5, 40))]
        pickled = pickled[:at] + piece + pickled[at + rng.choice((0, len(piece))) :]
    data[:] = packed(pickled, records)


OPCODES = [
    getattr(pickle, name)[0]
    for name in (
        *("MARK", "POP", "POP_MARK", "BININT1", "LONG1", "NONE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("TUPLE", "EMPTY_LIST", "APPENDS", "EMPTY_DICT", "SETITEMS", "EMPTY_SET", "ADDITEMS"),
        *("FROZENSET", "BINGET", "BINPUT", "MEMOIZE", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID"),
        "STOP",
    )
]


def long(value):
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def tuple_of(values):
    return b"(" + b"".join(map(long, values)) + b"t"


def geometry(data, rng, files):
    """A tensor of any shape, strides and offset, on a storage of 24 bytes."""

    def number():
        small = (0, 1, 1, 2, 3, 5, 6, 7, -1)
        return rng.choice((*small, 2**31, 2**40, 2**62, 2**63 - 1, 2**63, -(2**63)))

    dims = rng.choice((0, 1, 1, 2, 3, 65))
    kind = rng.choice((b"FloatStorage", b"DoubleStorage", b"ByteStorage", b"ComplexFloatStorage"))
    numel = rng.choice((3, 6, 24, number()))
    storage = b"(U\x07storagectorch\n" + kind + b"\nU\x010U\x03cpu" + long(numel) + b"tQ"
    flags = rng.choice((b"", b"}U\x04conj\x88s", b"}U\x03neg\x88s"))
    strides = tuple_of([number() for _ in range(rng.choice((dims, dims, dims, 1)))])
    pickled = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + (storage + long(rng.choice((0, 0, 1, number()))))
        + (tuple_of([number() for _ in range(dims)]) + strides + rng.choice((b"\x88", b"\x89")))
        + (b"ccollections\nOrderedDict\n)R" + flags + b"tR.")
    )
    data[:] = packed(pickled, {"data/0": struct.pack("<6f", *range(6))})


def code(data, rng, files):
    """Calls of functions that a file must not reach, in the places where calls can be."""
    name = rng.choice(
        (
            b"os\nsystem",
            b"posix\nsystem",
            b"builtins\neval",
            b"builtins\nexec",
            b"builtins\ngetattr",
            b"subprocess\nPopen",
            b"rushlight\nload",
            b"torch\nload",
            b"torch.hub\nload",
            b"io\nopen",
            b"builtins\n__import__",
            b"runpy\nrun_path",
            b"torch._utils\n_rebuild_tensor_v2.__globals__",
            b"rushlight.io.unpickler\npickle.loads",
            b"collections\nOrderedDict.fromkeys",
        )
    )
    argument = b"U\x0btouch pwned1"
    call = rng.choice(
        (
            b"c" + name + b"\n(" + argument + b"tR.",
            b"c" + name + b"\n" + argument + b"\x85\x81.",
            b"\x8c"
            + bytes([len(name.split(b"\n")[0])])
            + name.replace(b"\n", b"\x8c" + bytes([len(name.split(b"\n")[1])]))
            + b"\x93("
            + argument
            + b"tR.",
            b"ccollections\nOrderedDict\n)R}U\x09__class__c" + name + b"\nsb.",
            b"(" + argument + b"i" + name + b"\n.",
            b"(c" + name + b"\n" + argument + b"o.",
        )
    )
    data[:] = packed(b"\x80\x04" + call, {})


def endless(data, rng, files):
    """Few bytes that stand for more than there is time or memory for."""
    tuples = b")" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(60))  # 2 ** 60 parts
    frozen = b"(K\x01\x91" + b"".join(b"q%c(h%ch%c\x85\x91" % (i, i, i) for i in range(60))
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\n"
    rebuild += b"U\x010U\x03cpuK\x06tQK\x00"
    pickled = rng.choice(
        (
            b"}" + tuples + b"K\x01s.",
            b"}(" + frozen + b"K\x01" + frozen + b"K\x02u.",
            rebuild + tuples + tuples + b"\x89)tR.",
            b"ctorch\nSize\n" + tuples + b"\x85R.",
            b"]" * 100_000 + b"a" * 99_999 + b".",
            b")" + b"\x85" * 100_000 + b".",
            b"ctorch\ndevice\n" + tuples + b"\x85R.",
            b"(" * 100_000 + b".",
            b"ccollections\nCounter\n}" + tuples + b"K\x01s\x85R.",
            tuples + b"Q.",
            b"ctorch._tensor\n_rebuild_from_type_v2\n(" + tuples * 4 + b"tR.",
        )
    )
    data[:] = packed(b"\x80\x04" + pickled, {"data/0": bytes(24)})


def archives(data, rng, files):
    """Archives that unpacking programs were caught by."""
    pickled, records = parts(rng.choice(files))
    file = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    trick = rng.choice(("bomb", "path", "absolute", "nul", "twice", "none", "deep", "folder"))
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")
        archive.writestr("archive/data.pkl", pickled)
        for name, record in records.items():
            archive.writestr("archive/" + name, record)
        extra = {
            "bomb": "archive/data/99",
            "path": "archive/../../../tmp/pwned",
            "absolute": "/tmp/pwned",
            "nul": "archive/data/0\0x",
            "deep": "archive/" + "a/" * 5000,
            "folder": "archive/data/",
        }.get(trick)
        if extra:
            archive.writestr(extra, bytes(10_000_000 if trick == "bomb" else 10))
        if trick == "twice":
            archive.writestr("archive/data/0", bytes(24))
    data[:] = file.getvalue()


DAMAGE = (flip, flip, flip, truncate, cut_out, splice, zero, append)
MALICE = (
    numbers_of_directory,
    pickle_bytes,
    pickle_bytes,
    pickle_pieces,
    geometry,
    code,
    endless,
    archives,
)


# ---- the judge

FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.remove",
    "subprocess",
    "socket",
    "ctypes",
    "shutil",
    "pty",
    "exec",
    "compile",
    "code.",
    "marshal.loads",
    "pickle.find_class",
)
watched: list[str] = []
is_watching = False


def listen(event, arguments):
    if not is_watching:
        return
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event.startswith(FORBIDDEN) or writes:
        watched.append(f"{event}{arguments!r}"[:200])


def too_long(number, frame):
    raise TimeoutError(f"more than {SECONDS} seconds of processor time")


def judge(data, expected, path):
    """What happened; AssertionError if it must not."""
    global is_watching
    watched.clear()
    if path is not None:
        path.write_bytes(data)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    is_watching = True
    try:
        if path is None:
            loaded = rl.load(io.BytesIO(data))
        else:
            loaded = rl.load(path, mmap=True)
    except ERRORS as error:
        outcome, loaded = type(error).__name__, None
        assert len(str(error)) < 5000, f"an error of {len(str(error))} characters"
    else:
        outcome = "loaded"
        for tensor in tensors_in(loaded):
            if 0 < tensor.numel() < 100_000:
                tensor.tolist()
            tensor.is_contiguous()
    finally:
        is_watching = False
        signal.setitimer(signal.ITIMER_PROF, 0)
    assert not watched, f"the file did {watched}"
    if expected is not None and outcome == "loaded":
        assert fingerprint(loaded) in expected, "loaded, but not what was saved"
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    objects = originals()
    files = [saved(obj) for obj in objects]
    expected = {fingerprint(rl.load(io.BytesIO(file))) for file in files}
    rl.load(io.BytesIO(packed(*parts(files[1]))))  # what is imported late is loaded now
    sys.addaudithook(listen)
    signal.signal(signal.SIGPROF, too_long)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    outcomes: dict[str, Counter] = {}
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.count):
            rng = random.Random(f"{options.seed} {number}")
            is_damage = rng.random() < 0.6
            change = rng.choice(DAMAGE if is_damage else MALICE)
            data = bytearray(rng.choice(files))
            change(data, rng, files)
            # Mapped storages are not verified, so only malice must be without effect there.
            mapped = Path(folder) / "mapped.pt" if not is_damage and rng.random() < 0.3 else None
            try:
                outcome = judge(bytes(data), expected if is_damage else None, mapped)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                failures += 1
                outcome = "FAILED"
                print(f"seed {options.seed}, file {number} ({change.__name__}): {error!r:.500}")
            outcomes.setdefault(change.__name__, Counter())[outcome] += 1
    for name, counts in sorted(outcomes.items()):
        print(f"{name:22}", ", ".join(f"{n} {what}" for what, n in counts.most_common()))
    print(f"{options.count} files, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
