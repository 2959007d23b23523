// Python names of pointwise rows and reductions.
#include "bind/casters.h"
#include "elementwise/pending.h"
#include "elementwise/row.h"
#include "elementwise/shapes.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rushlight {

namespace {

std::uint64_t axes_of(std::string_view what, const Array& x, const std::optional<Dims>& dims) {
    if (!dims || dims->empty()) return all_axes(x.ndim());
    std::uint64_t axes = 0;
    for (Index d : *dims) {
        const int axis = normalize_axis(what, d, x.ndim());
        const std::uint64_t bit = std::uint64_t(1) << axis;
        check(!(axes & bit), what, ": dim ", axis, " appears multiple times in the list of dims");
        if (x.ndim() > 0) axes |= bit;
    }
    return axes;
}

Array sum(const Array& x, const std::optional<Dims>& dim, bool keepdim,
          const std::optional<DType>& dtype) {
    const DType result = dtype.value_or(category_of(x.dtype()) < 2 ? DType::I64 : x.dtype());
    return reduce(Reduction::Sum, x, axes_of("sum", x, dim), keepdim, false, result);
}

Array mean(const Array& x, const std::optional<Dims>& dim, bool keepdim,
           const std::optional<DType>& dtype) {
    const DType result = dtype.value_or(x.dtype());
    check(category_of(result) >= 2, "mean(): could not infer output dtype. Input dtype must be ",
          "either a floating point or complex dtype. Got: ", name_of(result));
    const std::uint64_t axes = axes_of("mean", x, dim);
    if (x.numel() == 0) {  // 0 / 0
        const Array zero = reduce(Reduction::Sum, x, axes, keepdim, false, result);
        const Operand operands[2] = {{zero, Scalar()}, {Array(), Scalar(0.0)}};
        static const int row = row_named("div");
        return pointwise(row, operands);
    }
    return reduce(Reduction::Sum, x, axes, keepdim, true, result);
}

Array prod(const Array& x, const std::optional<Dims>& dim, bool keepdim,
           const std::optional<DType>& dtype) {
    const DType result = dtype.value_or(category_of(x.dtype()) < 2 ? DType::I64 : x.dtype());
    return reduce(Reduction::Prod, x, axes_of("prod", x, dim), keepdim, false, result);
}

Array extreme(std::string_view what, Reduction kind, const Array& x, const std::optional<Dims>& dim,
              bool keepdim) {
    const std::uint64_t axes = axes_of(what, x, dim);
    check(!is_complex(x.dtype()), what, ": not implemented for ", name_of(x.dtype()));
    check((dim && !dim->empty()) || x.numel() > 0, what,
          "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
          "dim with the 'dim' argument.");
    for (int d = 0; d < x.ndim(); ++d)
        if ((axes >> d) & 1)
            check_as(ErrorKind::Index, x.size(d) > 0, what, ": Expected reduction dim ", d,
                     " to have non-zero size. The input has shape ", x.shape());
    return reduce(kind, x, axes, keepdim, false, x.dtype());
}

Array truth(std::string_view what, Reduction kind, const Array& x, const std::optional<Dims>& dim,
            bool keepdim) {
    // Bytes are compared as they are: nothing is cast but the result.
    const DType by = x.dtype() == DType::U8 ? DType::U8 : DType::Bool;
    const Array found = reduce(kind, x, axes_of(what, x, dim), keepdim, false, by);
    return cast(cast(found, DType::Bool), by);
}

// What minus means for truth values is left to the user.
void check_no_bool(const Operand& a, const Operand& b) {
    const auto is_bool = [](const Operand& operand) {
        return operand.array ? operand.array.dtype() == DType::Bool : operand.scalar.category() == 0;
    };
    const bool first = is_bool(a), second = is_bool(b);
    if (!first && !second) [[likely]] return;
    check(!(first && second),
          "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
          "`logical_xor()` operator instead.");
    fail(ErrorKind::Runtime,
         "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
         "invert a mask, use the `~` or `logical_not()` operator instead.");
}

// a + alpha * b, in the dtype that a and b meet in.
Array add_scaled(const Operand& a, const Operand& b, const Scalar& alpha, bool subtract) {
    static const int add = row_named("add"), sub = row_named("sub"), mul = row_named("mul"),
                     muladd = row_named("muladd");
    const Operand operands[2] = {a, b};
    if (subtract) check_no_bool(a, b);
    const bool plain = alpha.category() < 2 && alpha.to<std::int64_t>() == 1;
    if (!plain) {
        const DType common = result_type(operands);
        check(category_of(common) >= alpha.category(),
              "For integral input tensors, argument alpha must not be a floating point number.");
        if (b.array && category_of(common) > 0) {
            const Scalar factor = !subtract               ? alpha
                                  : alpha.category() < 2  ? Scalar(-alpha.to<std::int64_t>())
                                  : alpha.category() == 2 ? Scalar(-alpha.to<double>())
                                                          : Scalar(-alpha.to<Complex128>());
            const Operand sum[3] = {a, b, {Array(), factor}};
            return pointwise(muladd, sum);
        }
        if (b.array) {
            const Operand product[2] = {b, {Array(), alpha}};
            const Operand sum[2] = {a, {pointwise(mul, product), Scalar()}};
            return pointwise(subtract ? sub : add, sum);
        }
        const Complex128 scaled = b.scalar.to<Complex128>() * alpha.to<Complex128>();
        const Scalar number = category_of(common) == 3 ? Scalar(scaled)
                              : b.scalar.category() < 2 && alpha.category() < 2
                                  ? Scalar(b.scalar.to<std::int64_t>() * alpha.to<std::int64_t>())
                                  : Scalar(scaled.real());
        const Operand sum[2] = {a, {Array(), number}};
        return pointwise(subtract ? sub : add, sum);
    }
    return pointwise(subtract ? sub : add, operands);
}

Array div_rounded(const Operand& a, const Operand& b, const std::optional<std::string>& mode) {
    static const int div = row_named("div"), floor = row_named("floor_divide"),
                     trunc = row_named("trunc_divide");
    const Operand operands[2] = {a, b};
    if (!mode) return pointwise(div, operands);
    check(*mode == "floor" || *mode == "trunc",
          "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *mode,
          "'");
    return pointwise(*mode == "floor" ? floor : trunc, operands);
}

}  // namespace

void bind_elementwise(nb::module_& m) {
    for (int row = 0; row < row_count(); ++row) {
        const RowInfo& info = row_info(row);
        const std::string name(info.name);
        if (info.arity == 1) {
            m.def(name.c_str(), [row](const Operand& a) {
                return pointwise(row, std::span(&a, 1));
            }, "input"_a);
        } else if (info.arity == 2) {
            m.def(name.c_str(), [row](Operand a, Operand b) {
                const Operand operands[2] = {std::move(a), std::move(b)};
                return pointwise(row, operands);
            }, "input"_a, "other"_a);
        } else if (info.arity == 3) {
            m.def(name.c_str(), [row](Operand a, Operand b, Operand c) {
                const Operand operands[3] = {std::move(a), std::move(b), std::move(c)};
                return pointwise(row, operands);
            }, "a"_a, "b"_a, "c"_a);
        } else {
            m.def(name.c_str(), [row](Operand a, Operand b, Operand c, Operand d) {
                const Operand operands[4] = {std::move(a), std::move(b), std::move(c),
                                             std::move(d)};
                return pointwise(row, operands);
            }, "a"_a, "b"_a, "c"_a, "d"_a);
        }
    }
    m.def("add_scaled", [](const Operand& a, const Operand& b, const Scalar& alpha) {
        return add_scaled(a, b, alpha, false);
    }, "input"_a, "other"_a, "alpha"_a);
    m.def("sub_scaled", [](const Operand& a, const Operand& b, const Scalar& alpha) {
        return add_scaled(a, b, alpha, true);
    }, "input"_a, "other"_a, "alpha"_a);
    m.def("div_rounded", &div_rounded, "input"_a, "other"_a, "rounding_mode"_a.none());
    m.def("sum", &sum, "input"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false,
          "dtype"_a.none() = nb::none());
    m.def("mean", &mean, "input"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false,
          "dtype"_a.none() = nb::none());
    m.def("prod", &prod, "input"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false,
          "dtype"_a.none() = nb::none());
    m.def("amax", [](const Array& x, const std::optional<Dims>& dim, bool keepdim) {
        return extreme("amax", Reduction::Max, x, dim, keepdim);
    }, "input"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false);
    m.def("amin", [](const Array& x, const std::optional<Dims>& dim, bool keepdim) {
        return extreme("amin", Reduction::Min, x, dim, keepdim);
    }, "input"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false);
    m.def("any", [](const Array& x, const std::optional<Dims>& dim, bool keepdim) {
        return truth("any", Reduction::Max, x, dim, keepdim);
    }, "input"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false);
    m.def("all", [](const Array& x, const std::optional<Dims>& dim, bool keepdim) {
        return truth("all", Reduction::Min, x, dim, keepdim);
    }, "input"_a, "dim"_a.none() = nb::none(), "keepdim"_a = false);
    m.def("one_like", [](const Array& x) {
        return x.is_meta() ? Array::meta(x.shape(), x.dtype())
                           : Array::full(x.shape(), x.dtype(), Scalar(1.0));
    }, "input"_a);
    m.def("sum_to_size", &sum_to, "input"_a, "size"_a);
    m.def("result_type", [](const std::vector<Operand>& operands) {
        return result_type(operands);
    }, "operands"_a);
    m.def("promote_types", &promote, "a"_a, "b"_a);
    m.def("get_default_dtype", &default_dtype,
          "The dtype of floats from Python and of the constructors; float32 until it is set.");
    m.def("set_default_dtype", &set_default_dtype, "dtype"_a);
    m.def("set_eager", &set_eager, "on"_a);
    m.def("is_eager", &eager);
    m.def("is_pending", [](const Array& x) { return x.is_pending(); }, "input"_a);
}

}  // namespace rushlight
