// Between memory and registers, between register types, and reductions of registers; compiled once
// per instruction set.
#include <algorithm>
#include <cstring>

#include "elementwise/pointwise_loops.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

template <class T>
using register_of = reg_type<reg_of(dtype_of<T>)>;

template <class T>
[[gnu::always_inline]] inline void load(void* dst, const std::byte* src, Index stride, Index n) {
    using R = register_of<T>;
    auto* d = static_cast<R*>(dst);
    if (stride == Index(sizeof(T))) {
        auto* s = reinterpret_cast<const T*>(src);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) d[i] = convert<R>(s[i]);
    } else if (stride == 0) {
        const R value = convert<R>(*reinterpret_cast<const T*>(src));
        for (Index i = 0; i < n; ++i) d[i] = value;
    } else {
        for (Index i = 0; i < n; ++i) d[i] = convert<R>(*reinterpret_cast<const T*>(src + i * stride));
    }
}

template <class T>
[[gnu::always_inline]] inline void store(std::byte* dst, Index stride, const void* src, Index n) {
    using R = register_of<T>;
    auto* s = static_cast<const R*>(src);
    if (stride == Index(sizeof(T))) {
        auto* d = reinterpret_cast<T*>(dst);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) {
            if constexpr (std::is_same_v<T, bool>) reinterpret_cast<Bool&>(d[i]) = s[i];
            else d[i] = convert<T>(s[i]);
        }
    } else {
        for (Index i = 0; i < n; ++i)
            *reinterpret_cast<T*>(dst + i * stride) = convert<T>(s[i]);
    }
}

template <class T>
void load_rows(void* dst, const std::byte* src, Index row, Index rows, Index stride, Index n) {
    for (Index r = 0; r < rows; ++r)
        load<T>(static_cast<register_of<T>*>(dst) + r * n, src + r * row, stride, n);
}

template <class T>
void store_rows(std::byte* dst, Index row, Index rows, Index stride, const void* src, Index n) {
    for (Index r = 0; r < rows; ++r)
        store<T>(dst + r * row, stride, static_cast<const register_of<T>*>(src) + r * n, n);
}

template <class From, class To>
void convert_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<To*>(dst);
    auto* s = static_cast<const From*>(src[0]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
        if constexpr (is_bool<To>) d[i] = s[i] != From(0);
        else d[i] = convert<To>(s[i]);
    }
}

template <class T>
void round_loop(void* dst, const void* const* src, Index n) {
    if constexpr (std::is_same_v<T, Complex64>) {
        // Part by part: GCC 12 loses the rounding of the last element of a loop over pairs.
        auto* d = static_cast<double*>(dst);
        auto* s = static_cast<const double*>(src[0]);
#pragma GCC ivdep
        for (Index i = 0; i < 2 * n; ++i) d[i] = double(float(s[i]));
    } else {
        using R = register_of<T>;
        auto* d = static_cast<R*>(dst);
        auto* s = static_cast<const R*>(src[0]);
#pragma GCC ivdep
        for (Index i = 0; i < n; ++i) d[i] = convert<R>(convert<T>(s[i]));
    }
}

// float sums and products accumulate in double.
template <Reduction Kind, class T>
using accumulator = std::conditional_t<std::is_same_v<T, float> && (Kind == Reduction::Sum ||
                                                                    Kind == Reduction::Prod),
                                       double, T>;

template <Reduction Kind, class T>
T combine(T a, T b) {
    if constexpr (Kind == Reduction::Sum) return rows::Add::call(a, b);
    else if constexpr (Kind == Reduction::Prod) return rows::Mul::call(a, b);
    else if constexpr (Kind == Reduction::Max) return rows::Maximum::call(a, b);
    else return rows::Minimum::call(a, b);
}

template <Reduction Kind, class T>
T identity_of() {
    if constexpr (Kind == Reduction::Sum) return T(0);
    else if constexpr (Kind == Reduction::Prod) return T(1);
    else if constexpr (std::is_floating_point_v<T>)
        return Kind == Reduction::Max ? -std::numeric_limits<T>::infinity()
                                      : std::numeric_limits<T>::infinity();
    else return Kind == Reduction::Max ? std::numeric_limits<T>::min() : T(is_bool<T> ? 1 : std::numeric_limits<T>::max());
}

// Many running values side by side, joined in a fixed order at the end of the row.
template <Reduction Kind, class T>
[[gnu::always_inline]] inline void reduce_row(void* acc, const void* src, Index n) {
    using A = accumulator<Kind, T>;
    constexpr Index kLanes = 32;
    auto* s = static_cast<const T*>(src);
    A total = *static_cast<A*>(acc);
    Index i = 0;
    if (n >= kLanes) {
        A lanes[kLanes];
        for (Index l = 0; l < kLanes; ++l) lanes[l] = identity_of<Kind, A>();
        for (; i + kLanes <= n; i += kLanes)
            for (Index l = 0; l < kLanes; ++l) lanes[l] = combine<Kind, A>(lanes[l], A(s[i + l]));
        for (Index width = kLanes / 2; width > 0; width /= 2)
            for (Index l = 0; l < width; ++l)
                lanes[l] = combine<Kind, A>(lanes[l], lanes[l + width]);
        total = combine<Kind, A>(total, lanes[0]);
    }
    for (; i < n; ++i) total = combine<Kind, A>(total, A(s[i]));
    *static_cast<A*>(acc) = total;
}

template <Reduction Kind, class T>
void reduce_columns(void* acc, const void* src, Index n) {
    using A = accumulator<Kind, T>;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const T*>(src);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) a[i] = combine<Kind, A>(a[i], A(s[i]));
}

template <Reduction Kind, class T>
void reduce_rows(void* acc, Index step, const void* src, Index rows, Index n) {
    using A = accumulator<Kind, T>;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const T*>(src);
    for (Index r = 0; r < rows; ++r) reduce_row<Kind, T>(a + r * step, s + r * n, n);
}

// As many rows at once as make a long one, added up in lanes that then go to the columns.
template <Reduction Kind, class T>
void reduce_rows_columns(void* acc, Index, const void* src, Index rows, Index n) {
    using A = accumulator<Kind, T>;
    constexpr Index kLanes = 64;
    auto* a = static_cast<A*>(acc);
    auto* s = static_cast<const T*>(src);
    const Index together = kLanes / n, width = together * n;
    if (together >= 2 && rows >= 2 * together) {
        A lanes[kLanes];
        for (Index l = 0; l < width; ++l) lanes[l] = identity_of<Kind, A>();
        for (; rows >= together; rows -= together, s += width) {
#pragma GCC ivdep
            for (Index l = 0; l < width; ++l) lanes[l] = combine<Kind, A>(lanes[l], A(s[l]));
        }
        for (Index l = 0; l < width; ++l) a[l % n] = combine<Kind, A>(a[l % n], lanes[l]);
    }
    for (; rows > 0; --rows, s += n) {
        for (Index i = 0; i < n; ++i) a[i] = combine<Kind, A>(a[i], A(s[i]));
    }
}

template <Reduction Kind, Reg R>
void add_reduction(LoopTable& table) {
    using T = reg_type<R>;
    table.reduce_row[int(Kind)][int(R)] = &reduce_row<Kind, T>;
    table.reduce_columns[int(Kind)][int(R)] = &reduce_columns<Kind, T>;
    table.reduce_rows[int(Kind)][int(R)] = &reduce_rows<Kind, T>;
    table.reduce_rows_columns[int(Kind)][int(R)] = &reduce_rows_columns<Kind, T>;
}

template <Reg R>
void add_register(LoopTable& table) {
    using T = reg_type<R>;
    add_reduction<Reduction::Sum, R>(table);
    add_reduction<Reduction::Prod, R>(table);
    if constexpr (R != Reg::Complex) {
        add_reduction<Reduction::Max, R>(table);
        add_reduction<Reduction::Min, R>(table);
    }
    auto& to = table.convert[int(R)];
    to[int(Reg::Bool)] = &convert_loop<T, std::uint8_t>;
    to[int(Reg::Int)] = &convert_loop<T, std::int64_t>;
    to[int(Reg::Float)] = &convert_loop<T, float>;
    to[int(Reg::Double)] = &convert_loop<T, double>;
    to[int(Reg::Complex)] = &convert_loop<T, Complex128>;
}

// uint64 has an order of its own, and its own way from and to numbers with a point; all else is
// as with int64.
void add_unsigned(LoopTable& table) {
    using T = std::uint64_t;
    constexpr int kInt = int(Reg::Int), kUnsigned = int(Reg::Unsigned);
    for (int kind = 0; kind < kReductions; ++kind) {
        table.reduce_row[kind][kUnsigned] = table.reduce_row[kind][kInt];
        table.reduce_columns[kind][kUnsigned] = table.reduce_columns[kind][kInt];
    }
    add_reduction<Reduction::Max, Reg::Unsigned>(table);
    add_reduction<Reduction::Min, Reg::Unsigned>(table);
    for (auto& to : table.convert) to[kUnsigned] = to[kInt];
    auto& to = table.convert[kUnsigned];
    std::ranges::copy(table.convert[kInt], to);
    to[int(Reg::Float)] = &convert_loop<T, float>;
    to[int(Reg::Double)] = &convert_loop<T, double>;
    to[int(Reg::Complex)] = &convert_loop<T, Complex128>;
    table.convert[int(Reg::Float)][kUnsigned] = &convert_loop<float, T>;
    table.convert[int(Reg::Double)][kUnsigned] = &convert_loop<double, T>;
    table.convert[int(Reg::Complex)][kUnsigned] = &convert_loop<Complex128, T>;
}

// The type whose loop stores the same bytes.
template <class T>
struct AsStored {
    using type = T;
};
template <class T>
    requires(std::is_unsigned_v<T> && !std::is_same_v<T, bool>)
struct AsStored<T> {
    using type = std::make_signed_t<T>;
};
template <class T>
using as_stored = typename AsStored<T>::type;

template <Inner Kind>
float inner(float a, float b) {
    if constexpr (Kind == Inner::Add) return a + b;
    else if constexpr (Kind == Inner::Mul) return a * b;
    else return a - b;
}

template <Outer Kind>
float outer(float ab, float c) {
    if constexpr (Kind == Outer::Add) return ab + c;
    else if constexpr (Kind == Outer::Mul) return ab * c;
    else if constexpr (Kind == Outer::Sub) return ab - c;
    else return c - ab;
}

template <Outer O, Inner I>
void pair_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<float*>(dst);
    auto* a = static_cast<const float*>(src[0]);
    auto* b = static_cast<const float*>(src[1]);
    auto* c = static_cast<const float*>(src[2]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) d[i] = outer<O>(inner<I>(a[i], b[i]), c[i]);
}

template <class Row, class T, int one>
void one_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<T*>(dst);
    auto* x = static_cast<const T*>(src[1 - one]);
    const T value = *static_cast<const T*>(src[one]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) d[i] = one ? Row::call(x[i], value) : Row::call(value, x[i]);
}

template <class Row>
void add_one(LoopTable& table, int at) {
    table.with_one[at][0][int(Reg::Float)] = &one_loop<Row, float, 0>;
    table.with_one[at][1][int(Reg::Float)] = &one_loop<Row, float, 1>;
    table.with_one[at][0][int(Reg::Double)] = &one_loop<Row, double, 0>;
    table.with_one[at][1][int(Reg::Double)] = &one_loop<Row, double, 1>;
}

template <Outer O>
void add_pairs(LoopTable& table) {
    table.pair[int(O)][int(Inner::Add)] = &pair_loop<O, Inner::Add>;
    table.pair[int(O)][int(Inner::Mul)] = &pair_loop<O, Inner::Mul>;
    table.pair[int(O)][int(Inner::Sub)] = &pair_loop<O, Inner::Sub>;
}

}  // namespace

void add_memory_loops(LoopTable& table) {
    add_register<Reg::Bool>(table);
    add_register<Reg::Int>(table);
    add_register<Reg::Float>(table);
    add_register<Reg::Double>(table);
    add_register<Reg::Complex>(table);
    add_one<rows::Add>(table, 0);
    add_one<rows::Sub>(table, 1);
    add_one<rows::Mul>(table, 2);
    add_one<rows::Div>(table, 3);
    add_unsigned(table);
    add_pairs<Outer::Add>(table);
    add_pairs<Outer::Mul>(table);
    add_pairs<Outer::Sub>(table);
    add_pairs<Outer::SubFrom>(table);
    for (int d = 0; d < kDTypes; ++d)
        dispatch(DType(d), [&]<class T>() {
            using Stored = as_stored<T>;
            using Loaded = std::conditional_t<sizeof(T) == 8, Stored, T>;
            table.load[d] = &load<Loaded>;
            table.store[d] = &store<Stored>;
            table.load_rows[d] = &load_rows<Loaded>;
            table.store_rows[d] = &store_rows<Stored>;
            if constexpr (sizeof(T) != sizeof(register_of<T>)) table.round[d] = &round_loop<T>;
        });
}

}  // namespace rushlight::RUSHLIGHT_ISA
