// The element types, their sizes, PyTorch's promotion rules, and dispatch from a runtime dtype to
// a C++ type.
#pragma once

#include <array>
#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "array/error.h"

namespace rushlight {

// Ordered by category (bool < integers < floats < complex), as promotion needs it.
enum class DType : std::uint8_t {
    Bool, U8, I8, I16, I32, I64, U16, U32, U64, F16, BF16, F32, F64, C64, C128
};
inline constexpr int kDTypes = 15;

namespace detail {

inline float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = std::uint32_t(half & 0x8000u) << 16;
    const std::uint32_t exponent = (half >> 10) & 0x1fu, mantissa = half & 0x3ffu;
    if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
    if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
    const float tiny = float(mantissa) * 0x1p-24f;  // subnormal or zero
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(tiny));
}

inline std::uint16_t float_to_half(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint16_t sign = std::uint16_t((bits >> 16) & 0x8000u);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return std::uint16_t(sign | 0x7e00u);          // nan
    if (magnitude >= 0x477ff000u) return std::uint16_t(sign | 0x7c00u);         // overflow, inf
    if (magnitude < 0x38800000u) {                                              // subnormal
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;           // rounds to 2^-24
        return std::uint16_t(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u));
    }
    const std::uint32_t even = (magnitude >> 13) & 1u;
    return std::uint16_t(sign | ((magnitude - 0x38000000u + 0xfffu + even) >> 13));
}

inline std::uint16_t float_to_bfloat(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0u;
    return std::uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace detail

// IEEE binary16; arithmetic is done in float.
struct Half {
    std::uint16_t bits = 0;
    Half() = default;
    explicit Half(float value) : bits(detail::float_to_half(value)) {}
    explicit operator float() const { return detail::half_to_float(bits); }
};

// The upper half of a float; arithmetic is done in float.
struct BFloat16 {
    std::uint16_t bits = 0;
    BFloat16() = default;
    explicit BFloat16(float value) : bits(detail::float_to_bfloat(value)) {}
    explicit operator float() const { return std::bit_cast<float>(std::uint32_t(bits) << 16); }
};

using Complex64 = std::complex<float>;
using Complex128 = std::complex<double>;

struct DTypeInfo {
    std::string_view name;  // as PyTorch calls it
    std::uint8_t size;      // bytes
};

inline constexpr std::array<DTypeInfo, kDTypes> kDTypeInfo{{{"bool", 1},
                                                           {"uint8", 1},
                                                           {"int8", 1},
                                                           {"int16", 2},
                                                           {"int32", 4},
                                                           {"int64", 8},
                                                           {"uint16", 2},
                                                           {"uint32", 4},
                                                           {"uint64", 8},
                                                           {"float16", 2},
                                                           {"bfloat16", 2},
                                                           {"float32", 4},
                                                           {"float64", 8},
                                                           {"complex64", 8},
                                                           {"complex128", 16}}};

inline constexpr std::string_view name_of(DType dtype) { return kDTypeInfo[int(dtype)].name; }
inline constexpr std::size_t size_of(DType dtype) { return kDTypeInfo[int(dtype)].size; }
inline constexpr bool is_complex(DType d) { return d >= DType::C64; }
inline constexpr bool is_floating(DType d) { return d >= DType::F16 && d <= DType::F64; }
inline constexpr bool is_integral(DType d) { return d >= DType::U8 && d <= DType::U64; }
// uint16, uint32 and uint64, which meet no other integers in promotion.
inline constexpr bool is_wide_unsigned(DType d) { return d >= DType::U16 && d <= DType::U64; }
inline constexpr bool is_unsigned(DType d) { return d == DType::U8 || is_wide_unsigned(d); }
inline constexpr bool is_half(DType d) { return d == DType::F16 || d == DType::BF16; }

// bool 0, integer 1, float 2, complex 3: what decides whether a 0-dim operand takes part.
inline constexpr int category_of(DType d) {
    return d == DType::Bool ? 0 : is_integral(d) ? 1 : is_floating(d) ? 2 : 3;
}

[[noreturn]] void fail_promotion(DType a, DType b);

// The common dtype of two operands of equal rank in the promotion.
inline constexpr DType promote(DType a, DType b) {
    if (a == b) return a;
    if (a > b) return promote(b, a);
    // From here a < b in the order of the enum.
    if ((is_wide_unsigned(a) && !is_floating(b)) || is_wide_unsigned(b))
        fail_promotion(a, b);
    if (is_complex(b)) return b == DType::C64 && a == DType::F64 ? DType::C128 : b;
    if (b == DType::BF16 && a == DType::F16) return DType::F32;
    if (is_floating(b)) return b;
    if (a == DType::U8 && b != DType::U8) return b == DType::I8 ? DType::I16 : b;
    return b;
}

// The real dtype of the parts of a complex one; others map to themselves.
inline constexpr DType real_of(DType d) {
    return d == DType::C64 ? DType::F32 : d == DType::C128 ? DType::F64 : d;
}
inline constexpr DType complex_of(DType d) { return d == DType::F64 ? DType::C128 : DType::C64; }

template <class T>
struct DTypeOf;
template <DType D>
using DTypeConstant = std::integral_constant<DType, D>;
template <>
struct DTypeOf<bool> : DTypeConstant<DType::Bool> {};
template <>
struct DTypeOf<std::uint8_t> : DTypeConstant<DType::U8> {};
template <>
struct DTypeOf<std::int8_t> : DTypeConstant<DType::I8> {};
template <>
struct DTypeOf<std::int16_t> : DTypeConstant<DType::I16> {};
template <>
struct DTypeOf<std::int32_t> : DTypeConstant<DType::I32> {};
template <>
struct DTypeOf<std::int64_t> : DTypeConstant<DType::I64> {};
template <>
struct DTypeOf<std::uint16_t> : DTypeConstant<DType::U16> {};
template <>
struct DTypeOf<std::uint32_t> : DTypeConstant<DType::U32> {};
template <>
struct DTypeOf<std::uint64_t> : DTypeConstant<DType::U64> {};
template <>
struct DTypeOf<Half> : DTypeConstant<DType::F16> {};
template <>
struct DTypeOf<BFloat16> : DTypeConstant<DType::BF16> {};
template <>
struct DTypeOf<float> : DTypeConstant<DType::F32> {};
template <>
struct DTypeOf<double> : DTypeConstant<DType::F64> {};
template <>
struct DTypeOf<Complex64> : DTypeConstant<DType::C64> {};
template <>
struct DTypeOf<Complex128> : DTypeConstant<DType::C128> {};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

// dispatch(dtype, [&]<class T>() { ... }): calls with the C++ type of the dtype.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
    switch (dtype) {
        case DType::Bool: return f.template operator()<bool>();
        case DType::U8: return f.template operator()<std::uint8_t>();
        case DType::I8: return f.template operator()<std::int8_t>();
        case DType::I16: return f.template operator()<std::int16_t>();
        case DType::I32: return f.template operator()<std::int32_t>();
        case DType::I64: return f.template operator()<std::int64_t>();
        case DType::U16: return f.template operator()<std::uint16_t>();
        case DType::U32: return f.template operator()<std::uint32_t>();
        case DType::U64: return f.template operator()<std::uint64_t>();
        case DType::F16: return f.template operator()<Half>();
        case DType::BF16: return f.template operator()<BFloat16>();
        case DType::F32: return f.template operator()<float>();
        case DType::F64: return f.template operator()<double>();
        case DType::C64: return f.template operator()<Complex64>();
        case DType::C128: break;
    }
    return f.template operator()<Complex128>();
}

// The same for what only adds, multiplies and copies, and thus is blind to the sign of an integer:
// integers without a sign come as the type with a sign of their size, a dtype of `dispatch` less.
template <class F>
decltype(auto) dispatch_modular(DType dtype, F&& f) {
    switch (dtype) {
        case DType::Bool: return f.template operator()<bool>();
        case DType::U8:
        case DType::I8: return f.template operator()<std::int8_t>();
        case DType::U16:
        case DType::I16: return f.template operator()<std::int16_t>();
        case DType::U32:
        case DType::I32: return f.template operator()<std::int32_t>();
        case DType::U64:
        case DType::I64: return f.template operator()<std::int64_t>();
        case DType::F16: return f.template operator()<Half>();
        case DType::BF16: return f.template operator()<BFloat16>();
        case DType::F32: return f.template operator()<float>();
        case DType::F64: return f.template operator()<double>();
        case DType::C64: return f.template operator()<Complex64>();
        case DType::C128: break;
    }
    return f.template operator()<Complex128>();
}

// dispatch over float32 and float64 alone; `what` opens the error for other dtypes.
template <class F>
decltype(auto) dispatch_real(std::string_view what, DType dtype, F&& f) {
    check(dtype == DType::F32 || dtype == DType::F64, what,
          ": expected float32 or float64, got ", name_of(dtype));
    if (dtype == DType::F32) return f.template operator()<float>();
    return f.template operator()<double>();
}

// One element converted as PyTorch's casts do it (complex to real drops the imaginary part).
template <class To, class From>
inline To convert(From value) {
    if constexpr (std::is_same_v<To, From>) {
        return value;
    } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat16>) {
        return convert<To>(float(value));
    } else if constexpr (std::is_same_v<From, Complex64> || std::is_same_v<From, Complex128>) {
        if constexpr (std::is_same_v<To, Complex64> || std::is_same_v<To, Complex128>) {
            using Part = typename To::value_type;
            return To(Part(value.real()), Part(value.imag()));
        } else if constexpr (std::is_same_v<To, bool>) {
            return value.real() != 0 || value.imag() != 0;
        } else {
            return convert<To>(value.real());
        }
    } else if constexpr (std::is_same_v<To, Half> || std::is_same_v<To, BFloat16>) {
        return To(float(value));
    } else if constexpr (std::is_same_v<To, Complex64> || std::is_same_v<To, Complex128>) {
        return To(typename To::value_type(value));
    } else if constexpr (std::is_same_v<To, bool>) {
        return value != From(0);
    } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
        if constexpr (std::is_same_v<To, std::uint64_t>)
            if (value >= From(9223372036854775808.0) && value < From(18446744073709551616.0))
                return To(value);
        // Through int64: a defined value (the hardware's "indefinite") for what does not fit.
        const bool fits = value > From(-9223372036854775808.0) && value < From(9223372036854775808.0);
        return To(fits ? std::int64_t(value) : INT64_MIN);
    } else {
        return To(value);
    }
}

}  // namespace rushlight
