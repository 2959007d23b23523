// Making arrays, looking at them from outside, and views.
#include <nanobind/ndarray.h>

#include <cmath>

#include "bind/casters.h"
#include "elementwise/layout.h"
#include "elementwise/pending.h"
#include "tape/python.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rushlight {

namespace {

// ---- Python data

// The shape of nested sequences and the widest kind of number in them.
class NestedData {
public:
    explicit NestedData(PyObject* data) { measure(data, 0); }

    Dims shape;
    DType kind = DType::Bool;
    bool has_elements = false;

    Array fill(PyObject* data, DType dtype) {
        Array out = Array::empty(shape, dtype);
        std::byte* at = out.bytes();
        write(data, 0, dtype, at);
        return out;
    }

private:
    static bool is_sequence(PyObject* data) {
        return PyList_Check(data) || PyTuple_Check(data) ||
               (PySequence_Check(data) && !is_tensor(data) && !PyUnicode_Check(data) &&
                !PyBytes_Check(data) && !is_single_array(data));
    }

    // A NumPy array without axes: a number, though its type is that of a sequence.
    static bool is_single_array(PyObject* data) {
        if (std::string_view(Py_TYPE(data)->tp_name) != "numpy.ndarray") return false;
        if (PySequence_Size(data) >= 0) return false;
        PyErr_Clear();
        return true;
    }

    // Numbers of NumPy have a dtype of their own; Python's have only a kind.
    static std::optional<DType> numpy_dtype(PyObject* number) {
        std::string_view name(Py_TYPE(number)->tp_name);
        if (!name.starts_with("numpy.")) return std::nullopt;
        PyRef described;
        if (name == "numpy.ndarray") {
            PyRef dtype = PyRef::check(PyObject_GetAttrString(number, "dtype"));
            described = PyRef::check(PyObject_GetAttrString(dtype.get(), "name"));
            name = PyUnicode_AsUTF8(described.get());
        } else {
            name.remove_prefix(6);
        }
        if (name == "bool_") return DType::Bool;
        if (name == "longlong") return DType::I64;
        for (int d = 0; d < kDTypes; ++d)
            if (name == name_of(DType(d))) return DType(d);
        return std::nullopt;
    }

    void measure(PyObject* data, int depth) {
        check_as(ErrorKind::Value, depth < 64, "too many dimensions '", Py_TYPE(data)->tp_name, "'");
        if (is_tensor(data)) {
            check_strided("tensor", as_tensor(data));
            const Array& array = as_tensor(data)->array;
            for (Index d : array.shape()) shape.push_back(d);
            note(array.dtype());
            return;
        }
        if (!is_sequence(data)) {
            if (const auto dtype = numpy_dtype(data)) {
                note(*dtype);
                return;
            }
            Scalar value;
            if (!scalar_from_python(data, value)) {
                if (PyUnicode_Check(data))
                    fail(ErrorKind::Type, "new(): invalid data type 'str'");
                fail(ErrorKind::Runtime, "Could not infer dtype of ", Py_TYPE(data)->tp_name);
            }
            note(is_integer(data, value)       ? DType::I64
                 : value.kind() == DType::F64  ? default_dtype()
                 : value.kind() == DType::C128 ? complex_of(default_dtype())
                                               : value.kind());
            return;
        }
        PyRef items = PyRef::check(PySequence_Fast(data, "expected a sequence"));
        const Py_ssize_t n = PySequence_Fast_GET_SIZE(items.get());
        shape.push_back(n);
        if (n == 0) return;
        const int here = shape.size();
        measure(PySequence_Fast_GET_ITEM(items.get(), 0), depth + 1);
        const Dims first(std::span<const Index>(shape.begin() + here, shape.end()));
        for (Py_ssize_t i = 1; i < n; ++i) {
            PyObject* item = PySequence_Fast_GET_ITEM(items.get(), i);
            if (first.empty() && !is_sequence(item) && !is_tensor(item)) {
                Scalar value;
                if (PyFloat_CheckExact(item)) note(default_dtype());
                else if (PyLong_CheckExact(item)) note(DType::I64);
                else measure(item, depth + 1);
                continue;
            }
            shape.resize(here);
            measure(item, depth + 1);
            const Dims rest(std::span<const Index>(shape.begin() + here, shape.end()));
            if (rest == first) continue;
            const int at = here;
            if (!rest.empty() && !first.empty())
                fail(ErrorKind::Value, "expected sequence of length ", first[0], " at dim ", at,
                     " (got ", rest[0], ")");
            if (first.empty())
                fail(ErrorKind::Type, "only a number was expected at dim ", at, ", got a sequence");
            fail(ErrorKind::Type, "expected a sequence of length ", first[0], " at dim ", at,
                 ", got a number");
        }
    }

    void note(DType dtype) {
        kind = has_elements ? promote(kind, dtype) : dtype;
        has_elements = true;
    }

    // Also of those that no Scalar holds but as a float.
    static bool is_integer(PyObject* data, const Scalar& value) {
        return value.kind() == DType::I64 || (value.kind() == DType::F64 && PyLong_Check(data));
    }

    // Whether an integer has a place in the dtype. In uint8 to uint32, -1 is the largest number, as
    // in C, and so on down to 1.
    template <class T>
    static bool holds(const Scalar& value) {
        if (value.kind() != DType::I64) return false;
        const std::int64_t whole = value.to<std::int64_t>();
        if constexpr (std::is_same_v<T, std::uint64_t>) return value.beyond_int64() || whole >= 0;
        using Limits = std::numeric_limits<T>;
        const auto high = std::int64_t(Limits::max());
        return !value.beyond_int64() && whole <= high &&
               whole >= (std::is_signed_v<T> ? std::int64_t(Limits::min()) : -high);
    }

    // The exception depends on who finds out in PyTorch: the parser of numbers, or the cast.
    template <class T>
    [[noreturn]] static void refuse(const Scalar& value) {
        const std::string text = concat("value cannot be converted to type ", name_of(dtype_of<T>),
                                        " without overflow");
        if (std::is_same_v<T, std::uint64_t>) {
            PyErr_SetString(PyExc_OverflowError, text.c_str());
            throw PythonError();
        }
        const bool read = value.kind() == DType::I64 && !value.beyond_int64();
        fail(read ? ErrorKind::Runtime : ErrorKind::Value, text);
    }

    void write(PyObject* data, int depth, DType dtype, std::byte*& at) {
        if (is_tensor(data)) {
            const Array source = contiguous(cast(as_tensor(data)->array, dtype));
            const std::size_t bytes = std::size_t(source.numel()) * source.itemsize();
            std::memcpy(at, source.bytes(), bytes);
            at += bytes;
            return;
        }
        if (depth == shape.size() || !is_sequence(data)) {
            PyRef item;
            if (is_single_array(data)) {
                item = PyRef::check(PyObject_CallMethod(data, "item", nullptr));
                data = item.get();
            }
            dispatch(dtype, [&]<class T>() {
                T& out = *reinterpret_cast<T*>(at);
                if constexpr (std::is_floating_point_v<T>)
                    if (PyFloat_CheckExact(data)) {
                        out = T(PyFloat_AS_DOUBLE(data));
                        return;
                    }
                Scalar value;
                if (!scalar_from_python(data, value))
                    fail(ErrorKind::Type, "must be a number, not ", Py_TYPE(data)->tp_name);
                if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
                    if (is_integer(data, value) && !holds<T>(value)) refuse<T>(value);
                out = value.to<T>();
            });
            at += size_of(dtype);
            return;
        }
        PyRef items = PyRef::check(PySequence_Fast(data, "expected a sequence"));
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
            write(PySequence_Fast_GET_ITEM(items.get(), i), depth + 1, dtype, at);
    }
};

Array tensor_from_data(nb::handle data, const std::optional<DType>& dtype) {
    if (is_tensor(data.ptr())) {
        check_strided("tensor", as_tensor(data.ptr()));
        const Array& array = as_tensor(data.ptr())->array;
        const Array converted = cast(array, dtype.value_or(array.dtype()));
        return converted.body() == array.body() ? clone(array, dense_strides(array)) : converted;
    }
    NestedData nested(data.ptr());
    const DType kind = nested.has_elements ? nested.kind : default_dtype();
    return nested.fill(data.ptr(), dtype.value_or(kind));
}

// ---- other libraries' memory

using AnyArray = nb::ndarray<nb::device::cpu>;

nb::dlpack::dtype foreign_dtype(DType dtype) {
    using Code = nb::dlpack::dtype_code;
    const Code code = dtype == DType::Bool    ? Code::Bool
                      : is_unsigned(dtype)    ? Code::UInt
                      : is_integral(dtype)    ? Code::Int
                      : dtype == DType::BF16  ? Code::Bfloat
                      : is_complex(dtype)     ? Code::Complex
                                              : Code::Float;
    return {std::uint8_t(code), std::uint8_t(size_of(dtype) * 8), 1};
}

DType dtype_from_foreign(const nb::dlpack::dtype& foreign) {
    for (int d = 0; d < kDTypes; ++d)
        if (foreign_dtype(DType(d)) == foreign) return DType(d);
    fail(ErrorKind::Type, "can't convert an array with this element type (code ",
         int(foreign.code), ", ", int(foreign.bits), " bits). The only supported types are: ",
         "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, ",
         "uint32, uint16, uint8, and bool.");
}

// Shares memory with the other library's array.
Array from_foreign(const AnyArray& source) {
    Dims shape(int(source.ndim())), strides(int(source.ndim()));
    Index high = 0;  // of the last element
    bool empty = false;
    for (int d = 0; d < shape.size(); ++d) {
        shape[d] = Index(source.shape(std::size_t(d)));
        strides[d] = source.stride(std::size_t(d));
        empty |= shape[d] == 0;
        check_as(ErrorKind::Value, strides[d] >= 0 || shape[d] < 2,
                 "At least one of the strides of the given numpy array is negative, and tensors ",
                 "with negative strides are not supported. Make a copy with array.copy() first.");
        if (strides[d] < 0) strides[d] = 1;
        high += (shape[d] - 1) * strides[d];
    }
    const DType dtype = dtype_from_foreign(source.dtype());
    if (empty) return Array::empty(shape, dtype);
    auto* held = new AnyArray(source);
    Ref<Storage> storage(new Storage(static_cast<std::byte*>(source.data()),
                                     std::size_t(high + 1) * size_of(dtype),
                                     [held] { delete held; }));
    storage->mark_exported();
    return Array(std::move(storage), 0, shape, strides, dtype);
}

template <class... Framework>
nb::ndarray<Framework...> to_foreign(nb::handle tensor) {
    check_strided("an exchange of memory", as_tensor(tensor.ptr()));
    const Array& array = as_tensor(tensor.ptr())->array;
    check_as(ErrorKind::Type, !array.is_meta(), "can't convert meta device type tensor to numpy, ",
             "or to another library: it has a shape, ", array.shape(), ", but no memory");
    array.storage().mark_exported();
    std::vector<std::size_t> shape(array.shape().begin(), array.shape().end());
    // A fresh handle keeps the memory alive, whatever becomes of the tensor.
    nb::object owner = nb::steal(wrap(array));
    return nb::ndarray<Framework...>(array.bytes(), shape.size(), shape.data(), owner,
                                     array.strides().begin(), foreign_dtype(array.dtype()));
}

// ---- creation

// Whether a new tensor is one without memory. `device` is None where the user gave none, False
// where the library makes one for itself, a tensor for where that is, or a device or its name.
bool makes_meta(nb::handle device) {
    if (device.ptr() == Py_False) return on_meta;
    if (device.is_none()) return on_meta || modes.makes_meta;
    if (is_tensor(device.ptr())) return innermost(as_tensor(device.ptr()))->array.is_meta();
    return nb::cast<bool>(nb::steal(
        PyRef::check(PyObject_CallOneArg(callbacks().is_meta_device.get(), device.ptr()))
            .release()));
}

// What was just made, or its shape alone.
Array placed(const Array& array, nb::handle device) {
    if (array.is_meta() || !makes_meta(device)) return array;
    return Array::meta(array.shape(), array.strides(), array.dtype());
}

Array eye(Index rows, Index cols, DType dtype) {
    check(rows >= 0 && cols >= 0, "eye: n must be greater or equal to 0, got ", rows, " x ", cols);
    Array out = Array::zeros(Dims{rows, cols}, dtype);
    dispatch(dtype, [&]<class T>() {
        for (Index i = 0; i < std::min(rows, cols); ++i)
            out.data<T>()[i * cols + i] = convert<T>(std::int64_t(1));
    });
    return out;
}

// Whether a view in that shape needs no copy; for an item of a batch, of all items at once.
bool can_view(const TensorObject* tensor, Dims shape) {
    while (tensor->inner) {
        const TensorObject* inner = as_tensor(tensor->inner);
        if (tensor->batched) {
            Dims whole(shape.size() + 1);
            whole[0] = inner->array.size(0);
            for (int d = 0; d < shape.size(); ++d) whole[d + 1] = shape[d];
            shape = std::move(whole);
        }
        tensor = inner;
    }
    return tensor->array.view_strides(shape).has_value();
}

}  // namespace

void bind_arrays(nb::module_& m) {
    // `device` says where new tensors are, as makes_meta() reads it.
    m.def("tensor_from_data", [](nb::handle data, const std::optional<DType>& dtype,
                                 nb::handle device) {
        return placed(tensor_from_data(data, dtype), device);
    }, "data"_a.none(), "dtype"_a.none() = nb::none(), "device"_a.none() = false);
    m.def("placed", &placed, "input"_a, "device"_a.none());
    m.def("from_foreign", &from_foreign, "array"_a);
    m.def("to_numpy", [](nb::handle t) { return to_foreign<nb::numpy>(t); }, "tensor"_a);
    m.def("to_dlpack", [](nb::handle t) { return to_foreign<>(t); }, "tensor"_a);
    m.def("empty", [](const Dims& size, DType dtype, nb::handle device) {
        for (Index d : size)
            check(d >= 0, "Trying to create tensor with negative dimension ", d, ": ", size);
        return makes_meta(device) ? Array::meta(size, dtype) : Array::empty(size, dtype);
    }, "size"_a, "dtype"_a, "device"_a.none() = false);
    m.def("full", [](const Dims& size, const Scalar& value, DType dtype, nb::handle device) {
        for (Index d : size)
            check(d >= 0, "Trying to create tensor with negative dimension ", d, ": ", size);
        return makes_meta(device) ? Array::meta(size, dtype) : Array::full(size, dtype, value);
    }, "size"_a, "value"_a, "dtype"_a, "device"_a.none() = false);
    m.def("eye", [](Index rows, Index cols, DType dtype, nb::handle device) {
        return makes_meta(device) ? Array::meta(Dims{rows, cols}, dtype) : eye(rows, cols, dtype);
    }, "n"_a, "m"_a, "dtype"_a, "device"_a.none() = false);

    // Fresh memory in the shape of a tensor, its axes in the same order.
    m.def("empty_like", [](const Array& input, DType dtype, nb::handle device) {
        if (device.is_none() ? input.is_meta() : makes_meta(device))
            return Array::meta(input.shape(), dense_strides(input), dtype);
        return empty_with_layout(input.shape(), dense_strides(input), dtype);
    }, "input"_a, "dtype"_a, "device"_a.none() = nb::none());
    m.def("full_like", [](const Array& input, const Scalar& value, DType dtype,
                          nb::handle device) {
        if (device.is_none() ? input.is_meta() : makes_meta(device))
            return Array::meta(input.shape(), dense_strides(input), dtype);
        const Array whole = Array::full(input.shape(), dtype, value);
        return Array(whole.body()->storage, 0, input.shape(), dense_strides(input), dtype);
    }, "input"_a, "value"_a, "dtype"_a, "device"_a.none() = nb::none());
    m.def("clone", [](const Array& input) { return clone(input, dense_strides(input)); },
          "input"_a);
    m.def("contiguous", &contiguous, "input"_a);
    m.def("contiguous_clone", [](const Array& input) { return clone(input); }, "input"_a);
    m.def("to_dtype", &cast, "input"_a, "dtype"_a);
    m.def("copy_", [](const Array& dst, const Array& src) { assign(dst, src); }, "dst"_a, "src"_a);
    m.def("fill_", [](const Array& dst, const Scalar& value) { fill(dst, value); }, "dst"_a,
          "value"_a);

    m.def("as_strided", [](const Array& x, const Dims& size, const Dims& stride,
                           std::optional<Index> offset) {
        return x.as_strided(size, stride, offset.value_or(x.offset()));
    }, "input"_a, "size"_a, "stride"_a, "storage_offset"_a.none() = nb::none());
    m.def("broadcast_shapes", [](const Dims& a, const Dims& b) {
        return broadcast_shapes("broadcast_shapes", a, b);
    }, "a"_a, "b"_a);
    m.def("expand", &Array::expand, "input"_a, "size"_a);
    m.def("permute", [](const Array& x, const Dims& dims) {
        check(dims.size() == x.ndim(), "permute(sparse_coo): number of dimensions in the tensor ",
              "input does not match the length of the desired ordering of dimensions i.e. ",
              "input.dim() = ", x.ndim(), " is not equal to len(dims) = ", dims.size());
        Dims axes(x.ndim());
        std::uint64_t seen = 0;
        for (int d = 0; d < dims.size(); ++d) {
            axes[d] = normalize_axis("permute", dims[d], x.ndim());
            check(!((seen >> axes[d]) & 1), "permute(): duplicate dims are not allowed: ", dims);
            seen |= std::uint64_t(1) << axes[d];
        }
        return x.permute(axes);
    }, "input"_a, "dims"_a);
    m.def("transpose", [](const Array& x, Index dim0, Index dim1) {
        const int a = normalize_axis("transpose", dim0, x.ndim());
        const int b = normalize_axis("transpose", dim1, x.ndim());
        return x.ndim() == 0 ? x.permute(Dims()) : x.transpose(a, b);
    }, "input"_a, "dim0"_a, "dim1"_a);
    m.def("slice", [](const Array& x, Index dim, std::optional<Index> start,
                      std::optional<Index> end, Index step) {
        check_as(ErrorKind::Value, step > 0, "slice step must be positive, got ", step);
        return x.slice(normalize_axis("slice", dim, x.ndim()), start.value_or(0),
                       end.value_or(INT64_MAX), step);
    }, "input"_a, "dim"_a, "start"_a.none(), "end"_a.none(), "step"_a);
    m.def("select", [](const Array& x, Index dim, Index index) {
        check_as(ErrorKind::Index, x.ndim() > 0, "select() cannot be applied to a 0-dim tensor.");
        return x.select(normalize_axis("select", dim, x.ndim()), index);
    }, "input"_a, "dim"_a, "index"_a);
    m.def("unsqueeze", [](const Array& x, Index dim) {
        return x.unsqueeze(normalize_axis("unsqueeze", dim, x.ndim() + 1));
    }, "input"_a, "dim"_a);
    m.def("squeeze", [](const Array& x, const std::optional<Dims>& dim) {
        std::uint64_t axes = dim ? 0 : ~std::uint64_t(0);
        if (dim)
            for (Index d : *dim) {
                const std::uint64_t bit = std::uint64_t(1)
                                          << normalize_axis("squeeze", d, x.ndim());
                check(!(axes & bit), "squeeze: dim ", d, " appears multiple times in the list of dims");
                axes |= bit;
            }
        Array result = x.permute([&] {
            Dims same(x.ndim());
            for (int d = 0; d < same.size(); ++d) same[d] = d;
            return same;
        }());
        for (int d = x.ndim() - 1; d >= 0; --d)
            if (((axes >> d) & 1) && x.size(d) == 1) result = result.squeeze(d);
        return result;
    }, "input"_a, "dim"_a.none() = nb::none());
    m.def("view", &Array::view, "input"_a, "size"_a);
    m.def("reshape", &Array::reshape, "input"_a, "size"_a);
    m.def("can_view", [](nb::handle x, const Dims& size) {
        check_as(ErrorKind::Type, is_tensor(x.ptr()), "view: the first argument must be a Tensor");
        const TensorObject* tensor = as_tensor(x.ptr());
        return can_view(tensor, infer_shape(size, tensor->array.numel()));
    }, "input"_a, "size"_a);
    m.def("same_storage", [](const Array& a, const Array& b) {
        return &a.storage() == &b.storage();
    }, "a"_a, "b"_a);
    m.def("storage_id", [](const Array& x) {
        return reinterpret_cast<std::uintptr_t>(&x.storage());
    }, "input"_a);
    m.def("storage_nbytes", [](const Array& x) { return x.storage().bytes(); }, "input"_a);
    // The whole storage as bytes: what saving and untyped_storage() read.
    m.def("storage_array", [](const Array& x) {
        Ref<Storage> storage = (x.storage(), x.body()->storage);
        const Index bytes = Index(storage->bytes());
        return Array(std::move(storage), 0, Dims{bytes}, Dims{1}, DType::U8);
    }, "input"_a);
    // A tensor over the bytes of another one, whatever its dtype; geometry is checked.
    m.def("reinterpret", [](const Array& x, DType dtype, const Dims& size, const Dims& stride,
                            Index offset) {
        Ref<Storage> storage = (x.storage(), x.body()->storage);
        const Index room = Index(storage->bytes() / size_of(dtype));
        const Array whole(std::move(storage), 0, Dims{room}, Dims{1}, dtype);
        return whole.as_strided(size, stride, offset);
    }, "input"_a, "dtype"_a, "size"_a, "stride"_a, "offset"_a);
}

}  // namespace rushlight
