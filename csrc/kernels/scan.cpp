// Running totals along an axis: cumsum, cumprod, cummax, cummin, logcumsumexp.
#include <cmath>

#include "bind/casters.h"
#include "kernels/axis_walk.h"

namespace rushlight {

namespace {

// What a running sum or product of T is kept in: one step wider than T.
template <class T>
struct WiderType {
    using type = T;
};
template <>
struct WiderType<Half> {
    using type = float;
};
template <>
struct WiderType<BFloat16> {
    using type = float;
};
template <>
struct WiderType<float> {
    using type = double;
};
template <>
struct WiderType<Complex64> {
    using type = Complex128;
};
template <class T>
using Wider = typename WiderType<T>::type;

// A lane that long looks at times whether to stop; less one.
constexpr Index kStepsToStop = (1 << 20) - 1;

// Calls scan(out, in, count, stride, lanes): `lanes` neighbouring lanes of `count` elements, each
// `stride` apart. A negative stride walks them backwards.
template <class T, class Scan>
void for_each_lane_block(const Lanes& at, bool reverse, const T* from, T* to, double seconds_each,
                         Scan scan) {
    const Index stride = reverse ? -at.inner : at.inner;
    const Index first = reverse ? (at.length - 1) * at.inner : 0;
    constexpr Index kBlock = 64;  // lanes that are walked together
    const Index blocks = (at.inner + kBlock - 1) / kBlock;
    const Index width = std::min(at.inner, kBlock);
    for_ranges(at.outer * blocks, grain_for(at.length * width),
               seconds_each * double(at.length * width), [&](Index begin, Index end) {
                   for (Index task = begin; task < end; ++task) {
                       const Index lane = task % blocks * kBlock;
                       const Index offset = task / blocks * at.length * at.inner + first + lane;
                       scan(to + offset, from + offset, stride, std::min(kBlock, at.inner - lane));
                   }
               });
}

// out[l] = out[l - 1] (op) in[l], the running value kept wider than the elements.
template <class T, class Op>
Array running(const Array& x, int axis, bool reverse, Op op) {
    const Array source = contiguous(x);
    const Array result = Array::empty(x.shape(), x.dtype());
    if (result.nothing_to_compute()) return result;
    const Lanes at = lanes_of(x.shape(), axis);
    for_each_lane_block(at, reverse, source.data<T>(), result.data<T>(), 1e-9,
                        [&](T* out, const T* in, Index stride, Index lanes) {
                            if (lanes == 1) {
                                Wider<T> total = Wider<T>(in[0]);
                                out[0] = in[0];
                                for (Index l = 1; l < at.length; ++l) {
                                    total = op(total, Wider<T>(in[l * stride]));
                                    out[l * stride] = convert<T>(total);
                                    if ((l & kStepsToStop) == 0) pass_or_stop();
                                }
                                return;
                            }
                            Wider<T> total[64];
                            for (Index i = 0; i < lanes; ++i) {
                                total[i] = Wider<T>(in[i]);
                                out[i] = in[i];
                            }
                            for (Index l = 1; l < at.length; ++l) {
                                in += stride;
                                out += stride;
                                for (Index i = 0; i < lanes; ++i) {
                                    total[i] = op(total[i], Wider<T>(in[i]));
                                    out[i] = convert<T>(total[i]);
                                }
                            }
                        });
    return result;
}

// Integers and booleans are summed as int64 unless a dtype is asked for.
Array scan_input(const Array& x, std::optional<DType> dtype) {
    const DType natural = category_of(x.dtype()) < 2 ? DType::I64 : x.dtype();
    return cast(x, dtype.value_or(natural));
}

// With `reverse`, the sums run from the end: what the derivative of cumsum needs.
Array cumsum(const Array& x, Index dim, std::optional<DType> dtype, bool reverse) {
    const int axis = lane_axis("cumsum", dim, x);
    const Array values = scan_input(x, dtype);
    return dispatch_modular(values.dtype(), [&]<class T>() {
        return running<T>(values, axis, reverse, [](auto total, auto value) {
            if constexpr (std::is_same_v<T, bool>) {
                return total || value;
            } else {
                return sum_of(total, value);
            }
        });
    });
}

Array cumprod(const Array& x, Index dim, std::optional<DType> dtype) {
    const int axis = lane_axis("cumprod", dim, x);
    const Array values = scan_input(x, dtype);
    return dispatch_modular(values.dtype(), [&]<class T>() {
        return running<T>(values, axis, false, [](auto total, auto value) {
            if constexpr (std::is_same_v<T, bool>) {
                return total && value;
            } else {
                return product_of(total, value);
            }
        });
    });
}

// log(exp(a) + exp(b)) without overflow.
template <class C>
C log_add_exp(C a, C b) {
    if constexpr (is_complex_type<C>) {
        using Part = typename C::value_type;
        if (is_nan(a.real()) || is_nan(a.imag()) || is_nan(b.real()) || is_nan(b.imag())) {
            const Part nan = std::numeric_limits<Part>::quiet_NaN();
            return C(nan, nan);
        }
        if (b.real() > a.real()) std::swap(a, b);
        if (!std::isfinite(a.real()) && a.real() == b.real()) {
            return a.real() < 0 ? C(a.real(), 0) : std::log(std::exp(a) + std::exp(b));
        }
        const C ratio = std::exp(b - a);  // at most 1 in magnitude
        // log1p of a complex number, exact where the ratio is small.
        const Part square = ratio.real() * (2 + ratio.real()) + ratio.imag() * ratio.imag();
        return a + C(std::log1p(square) / 2, std::atan2(ratio.imag(), 1 + ratio.real()));
    } else {
        const C low = std::min(a, b), high = std::max(a, b);
        if (is_nan(a) || is_nan(b)) return a + b;
        if (!std::isfinite(high) && low == high) return high;
        if (!std::isfinite(high)) return high;
        return high + std::log1p(std::exp(low - high));
    }
}

Array logcumsumexp(const Array& x, Index dim, bool reverse) {
    const int axis = lane_axis("logcumsumexp", dim, x);
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()) || is_complex(x.dtype()),
             "logcumsumexp: not implemented for dtype ", name_of(x.dtype()),
             "; convert to a floating point dtype");
    return dispatch_modular(x.dtype(), [&]<class T>() -> Array {
        if constexpr (std::is_integral_v<T>) {
            return Array();
        } else {
            return running<T>(x, axis, reverse,
                              [](auto total, auto value) { return log_add_exp(total, value); });
        }
    });
}

// The running extreme and where it last stood; NaN is more extreme than any number.
std::pair<Array, Array> running_extreme(std::string_view what, const Array& x, Index dim,
                                        bool largest) {
    const int axis = lane_axis(what, dim, x);
    check_as(ErrorKind::NotImplemented, !is_complex(x.dtype()), what,
             ": not implemented for dtype ", name_of(x.dtype()));
    const Array source = contiguous(x);
    const Array values = Array::empty(x.shape(), x.dtype());
    const Array indices = Array::empty(x.shape(), DType::I64);
    if (values.nothing_to_compute()) return {values, indices};
    const Lanes at = lanes_of(x.shape(), axis);
    dispatch(x.dtype(), [&]<class T>() {
        if constexpr (!is_complex_type<T>) {
            const T* from = source.data<T>();
            T* to = values.data<T>();
            auto* positions = indices.data<Index>();
            const auto takes_over = [largest](Compute<T> value, Compute<T> best) {
                const bool reaches = largest ? value >= best : value <= best;
                return is_nan(value) || (!is_nan(best) && reaches);
            };
            const auto walk = [&](T* out, const T* in, Index stride, Index lanes) {
                Index* position = positions + (out - to);
                if (lanes == 1) {
                    T best = in[0];
                    Index best_at = 0;
                    for (Index l = 0; l < at.length; ++l) {
                        const T value = in[l * stride];
                        if (takes_over(Compute<T>(value), Compute<T>(best))) {
                            best = value;
                            best_at = l;
                        }
                        out[l * stride] = best;
                        position[l * stride] = best_at;
                        if ((l & kStepsToStop) == 0) pass_or_stop();
                    }
                    return;
                }
                for (Index i = 0; i < lanes; ++i) {
                    out[i] = in[i];
                    position[i] = 0;
                }
                for (Index l = 1; l < at.length; ++l) {
                    const T* before = out;
                    const Index* position_before = position;
                    in += stride;
                    out += stride;
                    position += stride;
                    for (Index i = 0; i < lanes; ++i) {
                        const bool takes = takes_over(Compute<T>(in[i]), Compute<T>(before[i]));
                        out[i] = takes ? in[i] : before[i];
                        position[i] = takes ? l : position_before[i];
                    }
                }
            };
            for_each_lane_block(at, false, from, to, 2e-9, walk);
        }
    });
    return {values, indices};
}

std::pair<Array, Array> cummax(const Array& x, Index dim) {
    return running_extreme("cummax", x, dim, true);
}
std::pair<Array, Array> cummin(const Array& x, Index dim) {
    return running_extreme("cummin", x, dim, false);
}

}  // namespace

void bind_scan(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("cumsum", &cumsum, "x"_a, "dim"_a, "dtype"_a = nanobind::none(), "reverse"_a = false);
    m.def("cumprod", &cumprod, "x"_a, "dim"_a, "dtype"_a = nanobind::none());
    m.def("logcumsumexp", &logcumsumexp, "x"_a, "dim"_a, "reverse"_a = false);
    m.def("cummax", &cummax, "x"_a, "dim"_a);
    m.def("cummin", &cummin, "x"_a, "dim"_a);
}

}  // namespace rushlight
