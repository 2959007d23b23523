// Pointwise operations and reductions as kernels and Python call them: dtypes and shapes are
// checked, then the work runs at once (small, or nothing gained by waiting) or becomes a pending
// expression.
#include <bit>
#include <cstdlib>
#include <unordered_map>

#include "array/launch.h"
#include "elementwise/layout.h"
#include "elementwise/pass.h"
#include "elementwise/pending.h"
#include "elementwise/table.h"

namespace rushlight {

namespace {

// Below this many elements the planning costs more than a trip through the cache saves.
constexpr Index kDeferFrom = 8192;
// Expressions do not grow without bound: this many operations, then they run. What crosses the cut
// goes through memory, so that a chain with its backward takes twice as long per operation behind
// it. Planning may look at the whole expression again for each operation, which large loops hide.
constexpr int max_weight(Index numel) { return numel < 65536 ? 128 : 256; }
constexpr Index kDirectUpTo = 32768;

bool g_eager = [] {
    const char* value = std::getenv("RUSHLIGHT_EAGER");
    const bool on = value && *value && *value != '0';
    if (on) stream::set_off(true);
    return on;
}();

bool g_read_soon = false;

template <class... Row>
constexpr std::array<RowInfo, sizeof...(Row)> infos(std::tuple<Row...>*) {
    return {Row::info...};
}
constexpr auto kInfos = infos(static_cast<Rows*>(nullptr));

bool waits(Index numel, std::span<const Operand> operands) {
    if (g_eager || numel == 0) return false;
    bool wait = numel >= kDeferFrom;
    const int most = max_weight(numel);
    for (const Operand& operand : operands) {
        if (!operand.array) continue;
        if (operand.array.is_pending()) {
            Pending& node = *operand.array.body()->pending;
            if (node.weight >= most && recount(node) >= most)
                run_pending(*operand.array.body());
            else
                wait = true;
        } else if (!g_read_soon && operand.array.body()->storage->exported()) {
            return false;
        }
    }
    return wait;
}

Array make_pending(const Dims& shape, DType dtype, Pending::Kind kind,
                   std::span<const Operand> operands, DType calc) {
    Array result(Ref<ArrayBody>(new ArrayBody(shape, dtype)));
    Ref<Pending> node(new Pending(*result.body(), kind, operands));
    node->calc = calc;
    result.body()->pending = std::move(node);
    return result;
}

// Whether the bytes of the array are a register of the dtype.
bool is_register(const Array& array, DType calc) {
    return array.dtype() == calc && size_of(calc) == reg_size(reg_of(calc)) &&
           array.is_contiguous();
}

// A number as a block of a dtype that has the layout of its register.
void fill_register(std::byte* block, Index n, const Operand& operand, DType calc) {
    const auto fill_with = [&](const Scalar& number) {
        const auto fill = [&]<class R>(R value) {
            std::fill_n(reinterpret_cast<R*>(block), n, value);
        };
        switch (reg_of(calc)) {
            case Reg::Bool: return fill(std::uint8_t(number.to<bool>()));
            case Reg::Int: return fill(number.to<std::int64_t>());
            case Reg::Unsigned: return fill(number.to<std::uint64_t>());
            case Reg::Float: return fill(number.to<float>());
            case Reg::Double: return fill(number.to<double>());
            case Reg::Complex: return fill(number.to<Complex128>());
        }
    };
    if (operand.array) fill_with(value_of(operand.array));
    else fill_with(operand.scalar);
}

// A rough time for an element of a row, in seconds.
double seconds_each(int row) { return row_info(row).expensive ? 0.5e-9 : 0.1e-9; }

// One loop straight over memory: contiguous operands of one shape in the dtype of the computation,
// numbers and single elements as one value each.
struct DirectLoop {
    PointwiseLoop loop;
    Index n;
    std::byte* out;
    const void* sources[kMostOperands];
    unsigned numbers;  // operands, a bit each, whose value is in `values`
    alignas(16) std::byte values[kMostOperands][16];

    void operator()() const {
        const void* from[kMostOperands];
        for (int i = 0; i < kMostOperands; ++i)
            from[i] = (numbers >> i) & 1 ? values[i] : sources[i];
        loop(out, from, n);
    }
};

// The same where a single element is not the last operands': in blocks, with it repeated.
void run_repeated(PointwiseLoop loop, int row, std::span<const Operand> operands, DType calc,
                  unsigned ones, const Array& out) {
    constexpr Index kBlock = 256;
    alignas(64) std::byte constants[kMostOperands][kBlock * 16];
    const void* sources[kMostOperands];
    const Index n = out.numel();
    for (std::size_t i = 0; i < operands.size(); ++i) {
        if (!((ones >> i) & 1)) {
            sources[i] = operands[i].array.bytes();
            continue;
        }
        fill_register(constants[i], std::min(n, kBlock), operands[i], loop_dtype(row, int(i), calc));
        sources[i] = constants[i];
    }
    std::byte* dst = out.bytes();
    for (Index at = 0; at < n; at += kBlock) {
        const void* here[kMostOperands];
        for (std::size_t i = 0; i < operands.size(); ++i) {
            const auto size = Index(size_of(loop_dtype(row, int(i), calc)));
            here[i] = static_cast<const std::byte*>(sources[i]) + ((ones >> i) & 1 ? 0 : at * size);
        }
        loop(dst + at * Index(out.itemsize()), here, std::min(kBlock, n - at));
    }
}

// Runs the row as a DirectLoop. Empty: not done.
Array run_direct(int row, std::span<const Operand> operands, DType calc, const Dims& shape,
                 Index n, DType result) {
    if (n > kDirectUpTo || !plain_layout(calc)) return {};
    unsigned ones = 0;
    for (std::size_t i = 0; i < operands.size(); ++i) {
        const Array& array = operands[i].array;
        if (array && is_register(array, loop_dtype(row, int(i), calc)) && array.numel() == n &&
            array.ndim() <= shape.size())
            continue;
        if (array && (array.numel() != 1 || !array.is_contiguous())) return {};
        ones |= 1u << i;
    }
    const Array out = Array::empty(shape, result);
    const LoopTable& table = loops();
    const int reg = int(reg_of(calc));
    const unsigned last = (1u << operands.size()) - (1u << row_info(row).last());
    const PointwiseLoop loop = ones == 0      ? table.pointwise[row][reg]
                               : ones == last ? table.one_last[row][reg]
                               : ones == 1    ? table.one_first[row][reg]
                                              : nullptr;
    if (!loop) {
        run_repeated(table.pointwise[row][reg], row, operands, calc, ones, out);
        return out;
    }
    DirectLoop kernel;
    kernel.loop = loop;
    kernel.n = n;
    kernel.out = out.address();
    kernel.numbers = 0;
    Touches touches{&out};
    for (std::size_t i = 0; i < operands.size(); ++i) {
        const Array& array = operands[i].array;
        const DType dtype = loop_dtype(row, int(i), calc);
        if (array && array.dtype() == dtype) {
            kernel.sources[i] = array.address();
            touches.add(array);
        } else {
            kernel.numbers |= 1u << i;
            fill_register(kernel.values[i], 1, operands[i], dtype);
        }
    }
    launch(double(n) * seconds_each(row), touches, kernel);
    return out;
}

// Integer division has no infinity to answer with, and an integer's reciprocal is none.
void check_divisor(int row, DType calc, const Operand& divisor, Index numel) {
    if (row == row_of<rows::Pow> && !divisor.array && category_of(calc) < 2) {
        check(divisor.scalar.to<double>() >= 0,
              "pow: Integers to negative integer powers are not allowed; convert the base with "
              ".float() first");
        return;
    }
    if (numel == 0) return;
    if (row != row_of<rows::FloorDivide> && row != row_of<rows::Remainder> &&
        row != row_of<rows::TruncDivide> && row != row_of<rows::Fmod>)
        return;
    if (reg_of(calc) != Reg::Int && reg_of(calc) != Reg::Unsigned) return;
    bool zero = false;
    if (!divisor.array) {
        zero = divisor.scalar.to<std::int64_t>() == 0;
    } else {
        const Array& values = divisor.array;
        const std::uint64_t axes = (std::uint64_t(1) << values.ndim()) - 1;
        const Array all = reduce(Reduction::Min, values, axes, false, false, DType::Bool);
        zero = !value_of(all).to<bool>();
    }
    check(!zero, "ZeroDivisionError: ", row_info(row).name, " of integers by zero");
}

DType calc_dtype(int row, const RowInfo& info, std::span<const Operand> operands) {
    if (info.rule == Rule::Logical) return DType::Bool;
    const bool where = row == row_of<rows::Where>;
    DType calc = result_type(where ? operands.subspan(1) : operands);
    if (info.rule == Rule::Float && category_of(calc) < 2) calc = default_dtype();
    if (row == row_of<rows::Square> && calc == DType::Bool) calc = DType::I64;  // as a power
    if ((info.regs >> int(reg_of(calc))) & 1u) return calc;
    if (row == row_of<rows::Sub>)
        fail(ErrorKind::Runtime, "sub: subtraction of two bool tensors is not supported; use ",
             "logical_xor (^) or convert with .int() first");
    if (row == row_of<rows::Neg>)
        fail(ErrorKind::Runtime, "neg: negation of a bool tensor is not supported; use ~ or ",
             "logical_not() to invert a mask");
    fail(ErrorKind::NotImplemented, info.name, ": not implemented for ", name_of(calc));
}

// Whether the result is one without memory. Its operands are too, but for single elements.
bool are_on_meta(std::string_view name, std::span<const Operand> operands) {
    const auto is_meta = [](const Operand& operand) {
        return operand.array && operand.array.is_meta();
    };
    if (std::ranges::none_of(operands, is_meta)) return false;
    for (const Operand& operand : operands)
        if (operand.array && operand.array.ndim() > 0 && !is_meta(operand))
            fail(ErrorKind::Runtime, name, ": Expected all tensors to be on the same device, but "
                 "found at least two devices, meta and cpu! The tensor of shape ",
                 operand.array.shape(), " is on the CPU; move it with .to(\"meta\")");
    return true;
}

// A power that is a product, a root or a quotient of x in its own dtype; empty for others.
Array simple_power(std::span<const Operand> operands) {
    if (!operands[0].array || operands[1].array) return {};
    const DType dtype = operands[0].array.dtype();
    if (dtype == DType::Bool || is_complex(dtype) || result_type(operands) != dtype) return {};
    const double exponent = operands[1].scalar.to<double>();
    const Operand& x = operands[0];
    const auto times = [&](const Operand& factor) {
        const Operand factors[2] = {x, factor};
        return pointwise(row_of<rows::Mul>, factors);
    };
    if (exponent == 1) return times({Array(), Scalar(std::int64_t(1))});
    if (exponent == 2) return times(x);
    if (exponent == 3) return times({times(x), Scalar()});
    if (!is_floating(dtype)) return {};
    if (exponent == 0.5) return pointwise(row_of<rows::Sqrt>, operands.first(1));
    if (exponent == -0.5) return pointwise(row_of<rows::Rsqrt>, operands.first(1));
    if (exponent == -1) return pointwise(row_of<rows::Reciprocal>, operands.first(1));
    return {};
}

}  // namespace

const RowInfo& row_info(int row) { return kInfos[std::size_t(row)]; }

int row_count() { return kRows; }

int row_named(std::string_view name) {
    for (int row = 0; row < kRows; ++row)
        if (kInfos[std::size_t(row)].name == name) return row;
    fail(ErrorKind::Value, "no pointwise row named ", name);
}

bool eager() noexcept { return g_eager; }
void set_eager(bool on) noexcept {
    g_eager = on;
    stream::set_off(on);
}

ReadSoon::ReadSoon(bool on) noexcept : before_(std::exchange(g_read_soon, on)) {}
ReadSoon::~ReadSoon() { g_read_soon = before_; }

Array pointwise(int row, std::span<const Operand> operands) {
    if (row == row_of<rows::Pow>)
        if (Array power = simple_power(operands)) return power;
    const RowInfo& info = row_info(row);
    const DType calc = calc_dtype(row, info, operands);
    Dims shape;
    bool first = true;
    for (const Operand& operand : operands) {
        if (!operand.array) continue;
        if (first) shape = operand.array.shape();
        else if (!(shape == operand.array.shape()))
            shape = broadcast_shapes(info.name, shape, operand.array.shape());
        first = false;
    }
    const bool to_bool = info.rule == Rule::Compare || info.rule == Rule::Test;
    const DType dtype = to_bool ? DType::Bool : calc;
    if (any_special && are_on_meta(info.name, operands)) [[unlikely]]
        return Array::meta(shape, layout_of(shape, operands), dtype);
    Index numel = shape.product();
    if (operands.size() == 2) check_divisor(row, calc, operands[1], numel);
    if (waits(numel, operands)) {
        Array result = make_pending(shape, dtype, Pending::Kind::Pointwise, operands, calc);
        result.body()->lay_out(shape, layout_of(shape, operands));
        result.body()->pending->row = row;
        return result;
    }
    if (numel == 0) return Array::empty(shape, dtype);
    if (Array direct = run_direct(row, operands, calc, shape, numel, dtype)) return direct;
    const Array out = empty_with_layout(shape, layout_of(shape, operands), dtype);
    Pass pass(shape);
    int sources[kMostOperands];
    for (std::size_t i = 0; i < operands.size(); ++i) {
        const Operand& operand = operands[i];
        const DType wanted = operand_dtype(row, int(i), operand, calc);
        sources[i] = operand.array
                         ? pass.convert(pass.leaf(operand.array), operand.array.dtype(), wanted)
                         : pass.constant(operand.scalar, wanted);
    }
    pass.keep(apply_row(pass, row, info, calc, std::span(sources, operands.size())), out);
    pass.run();
    return out;
}

namespace {

// A small contiguous array whose reduced axes are its last ones: no pass to set up.
bool reduce_direct(Reduction kind, const Array& array, Index outputs, std::uint64_t axes, bool mean,
                   const Array& out) {
    const Index n = array.numel();
    if (n > kDirectUpTo || n == 0 || !is_register(array, out.dtype())) return false;
    const DType dtype = array.dtype();
    if (dtype != DType::F32 && dtype != DType::F64) return false;
    int trailing = 0;
    while (trailing < array.ndim() && ((axes >> (array.ndim() - 1 - trailing)) & 1)) ++trailing;
    if (std::popcount(axes) != trailing) return false;
    const Index each = n / outputs;
    const ReduceRowsLoop loop = loops().reduce_rows[int(kind)][int(dtype)];
    const bool wide = kind == Reduction::Sum || kind == Reduction::Prod || dtype == DType::F64;
    const double inf = std::numeric_limits<double>::infinity();
    const double start = kind == Reduction::Sum ? 0 : kind == Reduction::Prod ? 1
                         : kind == Reduction::Max ? -inf : inf;
    const std::byte* from = array.address();
    std::byte* to = out.address();
    const auto size = Index(array.itemsize());
    launch(double(n) * 0.1e-9, Touches{&array, &out}, [=] {
        const std::byte* src = from;
        for (Index o = 0; o < outputs; ++o, src += each * size) {
            double value = start;
            if (wide) {
                for (Index at = 0; at < each; at += 1024)
                    loop(&value, 0, src + at * size, 1, std::min<Index>(1024, each - at));
            } else {
                float narrow = float(start);
                loop(&narrow, 0, src, 1, each);
                value = narrow;
            }
            if (mean) value /= double(each);
            if (size == 4) reinterpret_cast<float*>(to)[o] = float(value);
            else reinterpret_cast<double*>(to)[o] = value;
        }
    });
    return true;
}

}  // namespace

Array reduce(Reduction kind, const Array& array, std::uint64_t axes, bool keepdim, bool mean,
             DType result) {
    Dims kept, shape;  // the shape without the axes, and as the caller wants it
    for (int d = 0; d < array.ndim(); ++d) {
        const bool reduced = (axes >> d) & 1;
        if (!reduced) kept.push_back(array.size(d));
        if (!reduced || keepdim) shape.push_back(reduced ? 1 : array.size(d));
    }
    if (any_special && array.is_meta()) [[unlikely]] return Array::meta(shape, result);
    const Operand operands[1] = {{array, Scalar()}};
    if (array.numel() > 0 && waits(array.numel(), operands)) {
        Array out = make_pending(shape, result, Pending::Kind::Reduce, operands, result);
        Pending& node = *out.body()->pending;
        node.reduction = kind;
        node.axes = axes;
        node.mean = mean;
        return out;
    }
    Array out = Array::empty(shape, result);
    if (out.numel() == 0 || reduce_direct(kind, array, out.numel(), axes, mean, out)) return out;
    Pass pass(array.shape());
    pass.reduce(pass.convert(pass.leaf(array), array.dtype(), result), kind, axes, mean, out);
    pass.run();
    return out;
}

// ---- copies: the same machinery without arithmetic

Array cast(const Array& array, DType dtype) {
    if (array.dtype() == dtype) return array;
    const Operand operands[1] = {{array, Scalar()}};
    const Dims layout = dense_strides(array);
    if (any_special && array.is_meta()) [[unlikely]]
        return Array::meta(array.shape(), layout, dtype);
    if (waits(array.numel(), operands)) {
        Array result = make_pending(array.shape(), dtype, Pending::Kind::Cast, operands, dtype);
        result.body()->lay_out(result.shape(), layout);
        return result;
    }
    Array out = empty_with_layout(array.shape(), layout, dtype);
    assign(out, array);
    return out;
}

Array clone(const Array& array) { return clone(array, contiguous_strides(array.shape())); }

Array clone(const Array& array, const Dims& strides) {
    if (any_special && array.is_meta()) [[unlikely]]
        return Array::meta(array.shape(), strides, array.dtype());
    if (array.is_pending()) {
        const Operand operands[1] = {{array, Scalar()}};
        Array result = make_pending(array.shape(), array.dtype(), Pending::Kind::Cast, operands,
                                    array.dtype());
        result.body()->lay_out(result.shape(), strides);
        return result;
    }
    Array out = empty_with_layout(array.shape(), strides, array.dtype());
    assign(out, array);
    return out;
}

}  // namespace rushlight
