// One operation straight from memory to memory, on types that no register has: short integers need
// no trip through int64, halves none through a block of floats, and complex64 none through one of
// doubles. Values are those of the registers; compiled once per instruction set.
#include "elementwise/isa_loops.h"
#include "elementwise/memory_lanes.h"
#include "elementwise/pointwise_loops.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

// What int64 gives, cut to the size of T.
template <class Row, class T>
[[gnu::always_inline]] inline auto of_integers(T a, T b) {
    using U = std::uint32_t;  // wraps around where int would overflow
    if constexpr (std::is_same_v<Row, rows::Add>) return T(U(a) + U(b));
    else if constexpr (std::is_same_v<Row, rows::Sub>) return T(U(a) - U(b));
    else if constexpr (std::is_same_v<Row, rows::Mul>) return T(U(a) * U(b));
    else return Row::call(a, b);
}

template <class Row, class T>
void integer_loop(void* dst, const void* const* src, Index n) {
    using Result = decltype(of_integers<Row>(T{}, T{}));
    auto* d = static_cast<Result*>(dst);
    auto* a = static_cast<const T*>(src[0]);
    auto* b = static_cast<const T*>(src[1]);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) d[i] = of_integers<Row>(a[i], b[i]);
}

// In double and rounded once, as in a register.
template <class Row>
void complex_loop(void* dst, const void* const* src, Index n) {
    auto* d = static_cast<float*>(dst);
    auto* a = static_cast<const float*>(src[0]);
    auto* b = static_cast<const float*>(src[1]);
    if constexpr (std::is_same_v<Row, rows::Mul>) {
        constexpr int W = Vector<double>::lanes;
        Index i = 0;
        for (; i + W <= 2 * n; i += W) {
            const auto left = load_as<double, W>(a + i), right = load_as<double, W>(b + i);
            const auto found = complex_product(left, right);
            store<W * 4>(d + i, __builtin_convertvector(found, Lanes<float, W>));
        }
        for (; i < 2 * n; i += 2) {
            const double are = a[i], aim = a[i + 1], bre = b[i], bim = b[i + 1];
            d[i] = float(are * bre - aim * bim);
            d[i + 1] = float(are * bim + aim * bre);
        }
    } else {  // a sum of two floats is the same rounded from double
#pragma GCC ivdep
        for (Index i = 0; i < 2 * n; ++i) d[i] = Row::call(a[i], b[i]);
    }
}

// In float and rounded once.
template <class Row, class T>
void half_loop(void* dst, const void* const* src, Index n) {
    constexpr int W = kVectorBytes / int(sizeof(float));
    auto* d = static_cast<T*>(dst);
    auto* a = static_cast<const T*>(src[0]);
    auto* b = static_cast<const T*>(src[1]);
    Index i = 0;
    for (; i + W <= n; i += W)
        store_halves<W>(d + i, Row::call(load_as<float, W>(a + i), load_as<float, W>(b + i)));
    for (; i < n; ++i) d[i] = T(Row::call(float(a[i]), float(b[i])));
}

template <class T, class... Row>
void add_halves(LoopTable& table) {
    ((table.narrow[row_of<Row>][int(dtype_of<T>)] = &half_loop<Row, T>), ...);
}

template <class T, class... Row>
void add_integers(LoopTable& table) {
    ((table.narrow[row_of<Row>][int(dtype_of<T>)] = &integer_loop<Row, T>), ...);
}

template <class... Row>
void add_complex(LoopTable& table) {
    ((table.narrow[row_of<Row>][int(DType::C64)] = &complex_loop<Row>), ...);
}

}  // namespace

void add_narrow_loops(LoopTable& table) {
    using namespace rows;
    const auto add = [&]<class T>(T) {
        add_integers<T, Add, Sub, Mul, Maximum, Minimum, Eq, Ne, Lt, Le, Gt, Ge, BitwiseAnd,
                     BitwiseOr, BitwiseXor>(table);
    };
    add(std::uint8_t());
    add(std::int8_t());
    add(std::int16_t());
    add(std::int32_t());
    add_halves<Half, Add, Sub, Mul, Div, Maximum, Minimum>(table);
    add_halves<BFloat16, Add, Sub, Mul, Div, Maximum, Minimum>(table);
    add_complex<Add, Sub, Mul>(table);
}

}  // namespace rushlight::RUSHLIGHT_ISA
