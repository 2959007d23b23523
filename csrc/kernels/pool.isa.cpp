// The loops of pool_loops.h. Maxima are found for a vector of windows side by side, place by place;
// averages first add the rows of a window, then the columns.
#include "kernels/pool_loops.h"

#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

template <class T>
constexpr T lowest() {
    if constexpr (std::is_floating_point_v<T>) return -T(__builtin_inf());
    else return INT64_MIN;
}

Index ceil_div(Index a, Index b) { return a > 0 ? (a + b - 1) / b : -(-a / b); }
Index lesser(Index a, Index b) { return a < b ? a : b; }
Index greater(Index a, Index b) { return a > b ? a : b; }

// ---- maxima

// The places [first, last) of the window of output o along an axis that lie in the plane.
struct Places {
    Index first, last;
};
Places places_of(const PoolPlane& p, int axis, Index o) {
    const Index base = o * p.stride[axis] - p.padding[axis];
    if (base >= 0 && base + (p.kernel[axis] - 1) * p.dilation[axis] < p.in[axis]) {
        return {0, p.kernel[axis]};
    }
    const Index step = p.dilation[axis];  // divisions are slow, and rarely needed
    const Index first = greater(0, step == 1 ? -base : ceil_div(-base, step));
    const Index last = step == 1 ? p.in[axis] - base : ceil_div(p.in[axis] - base, step);
    return {first, greater(first, lesser(last, p.kernel[axis]))};
}

// W elements and integers beside them.
template <class T, int W>
struct Lanes {
    typedef T Values __attribute__((vector_size(sizeof(T) * W)));
    typedef LaneIndex<T> Numbers __attribute__((vector_size(sizeof(T) * W)));
};
template <class Tap, int W>
struct TapLanes {
    typedef Tap type __attribute__((vector_size(sizeof(Tap) * W)));
};

// x[0], x[step], x[2 step] ...; reads nothing beyond the last of them.
template <int fixed_step, class T, int W, int... i>
[[gnu::always_inline]] inline auto load_steps(const T* x, Index step,
                                              std::integer_sequence<int, i...>) {
    using Values = typename Lanes<T, W>::Values;
    if constexpr (fixed_step == 1) {
        return Load<Values>()(x);
    } else if constexpr (fixed_step == 2) {
        const Values low = Load<Values>()(x), high = Load<Values>()(x + W - 1);
        return __builtin_shufflevector(low, high, (2 * i + (i < W / 2 ? 0 : 1))...);
    } else {
        return Values{x[i * step]...};
    }
}

// The places of a row of outputs along the two outer axes.
struct OuterPlaces {
    Places deep, high;
    Index none;  // the number of taps, which stands for no place
};

// W windows side by side that no end of the row cuts off. The first place stands for a window of
// nothing but the lowest value; nan wins over all, the last one over others.
template <int fixed_step, bool keep, int W, class T, class Tap>
[[gnu::always_inline]] inline void max_of_lanes(const PoolPlane& p, const OuterPlaces& outer,
                                                const T* x, T* y, Tap* taps) {
    using Values = typename Lanes<T, W>::Values;
    using Numbers = typename Lanes<T, W>::Numbers;
    constexpr auto lanes = std::make_integer_sequence<int, W>();
    Values best = Values{} + lowest<T>();
    Numbers at = Numbers{};
    bool first = true;
    for (Index kd = outer.deep.first; kd < outer.deep.last; ++kd) {
        for (Index kh = outer.high.first; kh < outer.high.last; ++kh) {
            const T* row = x + (kd * p.dilation[0] * p.in[1] + kh * p.dilation[1]) * p.in[2];
            auto number = LaneIndex<T>((kd * p.kernel[1] + kh) * p.kernel[2]);
            if (first && keep) at = Numbers{} + number;
            first = false;
            for (Index kw = 0; kw < p.kernel[2]; ++kw, ++number, row += p.dilation[2]) {
                const Values value = load_steps<fixed_step, T, W>(row, p.stride[2], lanes);
                const auto larger = (value > best) | (value != value);
                best = larger ? value : best;
                if constexpr (keep) at = larger ? Numbers{} + number : at;
            }
        }
    }
    __builtin_memcpy(y, &best, sizeof best);
    if constexpr (keep) {
        if (first) at = Numbers{} + LaneIndex<T>(outer.none);
        using Taps = typename TapLanes<Tap, W>::type;
        const Taps narrow = __builtin_convertvector(at, Taps);
        __builtin_memcpy(taps, &narrow, sizeof narrow);
    }
}

// One window, wherever it lies.
template <bool keep, class T, class Tap>
void max_of_window(const PoolPlane& p, const OuterPlaces& outer, const T* x, Index ow, T* y,
                   Tap* tap) {
    const Places wide = places_of(p, 2, ow);
    T best = lowest<T>();
    Index at = outer.none;
    for (Index kd = outer.deep.first; kd < outer.deep.last; ++kd) {
        for (Index kh = outer.high.first; kh < outer.high.last; ++kh) {
            const T* row = x + (kd * p.dilation[0] * p.in[1] + kh * p.dilation[1]) * p.in[2];
            for (Index kw = wide.first; kw < wide.last; ++kw) {
                const T value = row[kw * p.dilation[2]];
                const bool larger = (value > best) | (value != value);
                best = larger ? value : best;
                if (larger || at == outer.none) at = (kd * p.kernel[1] + kh) * p.kernel[2] + kw;
            }
        }
    }
    *y = best;
    if constexpr (keep) *tap = Tap(at);
}

// Columns [from, to) of a row, none of them cut off, at least W: the last vector may overlap the
// one before.
template <bool keep, int W, class T, class Tap>
[[gnu::always_inline]] inline void max_of_columns(const PoolPlane& p, const OuterPlaces& outer,
                                                  const T* x, Index from, Index to, T* y,
                                                  Tap* taps) {
    const Index step = p.stride[2];
    for (Index j = from; j < to; j += W) {
        const Index o = lesser(j, to - W);
        const T* at = x + o * step;
        Tap* const tap = keep ? taps + o : nullptr;
        if (step == 1) max_of_lanes<1, keep, W>(p, outer, at, y + o, tap);
        else if (step == 2) max_of_lanes<2, keep, W>(p, outer, at, y + o, tap);
        else max_of_lanes<0, keep, W>(p, outer, at, y + o, tap);
    }
}

template <bool keep, class T, class Tap>
void max_planes(const PoolPlane& p, Index planes, const T* x, T* y, Tap* taps) {
    constexpr int kWide = kWidth<T>, kNarrow = kWide > 4 ? 4 : 2;
    const Index columns = p.out[2], in_plane = p.in[0] * p.in[1] * p.in[2];
    // Columns [from, to) are not cut off.
    const Index span = (p.kernel[2] - 1) * p.dilation[2];
    const Index from = greater(0, lesser(columns, ceil_div(p.padding[2], p.stride[2])));
    const Index fitting = ceil_div(p.in[2] - span + p.padding[2], p.stride[2]);
    const Index to = greater(from, lesser(columns, fitting));
    OuterPlaces outer;
    outer.none = p.kernel[0] * p.kernel[1] * p.kernel[2];
    for (Index plane = 0; plane < planes; ++plane, x += in_plane) {
        for (Index od = 0; od < p.out[0]; ++od) {
            outer.deep = places_of(p, 0, od);
            const Index d = od * p.stride[0] - p.padding[0];
            for (Index oh = 0; oh < p.out[1]; ++oh, y += columns) {
                outer.high = places_of(p, 1, oh);
                const Index h = oh * p.stride[1] - p.padding[1];
                const T* corner = x + (d * p.in[1] + h) * p.in[2] - p.padding[2];
                if (to - from >= kWide) {
                    max_of_columns<keep, kWide>(p, outer, corner, from, to, y, taps);
                } else if (to - from >= kNarrow) {
                    max_of_columns<keep, kNarrow>(p, outer, corner, from, to, y, taps);
                }
                const bool narrow = to - from < kNarrow;
                for (Index o = 0; o < columns; ++o) {
                    if (o == from && !narrow) o = to;
                    if (o == columns) break;
                    max_of_window<keep>(p, outer, corner + o * p.stride[2], o, y + o,
                                        keep ? taps + o : nullptr);
                }
                if constexpr (keep) taps += columns;
            }
        }
    }
}

template <class T, class Tap>
void max_forward(const PoolPlane& p, Index planes, const T* x, T* y, Tap* taps) {
    if (taps) max_planes<true>(p, planes, x, y, taps);
    else max_planes<false, T, Tap>(p, planes, x, y, nullptr);
}

// Calls f(output, input) with the two places, counted from the first plane, of each window's tap.
template <class Tap, class F>
[[gnu::always_inline]] inline void for_taps(const PoolPlane& p, Index planes, const Tap* taps,
                                            F&& f) {
    constexpr Index kOffsets = 256;
    const Index taps_each = p.kernel[0] * p.kernel[1] * p.kernel[2];
    const auto offset_of = [&p](Index tap) {
        const Index kw = tap % p.kernel[2], kh = tap / p.kernel[2] % p.kernel[1];
        const Index kd = tap / (p.kernel[1] * p.kernel[2]);
        return (kd * p.dilation[0] * p.in[1] + kh * p.dilation[1]) * p.in[2] + kw * p.dilation[2];
    };
    Index offsets[kOffsets];
    for (Index tap = 0; tap < lesser(taps_each, kOffsets); ++tap) offsets[tap] = offset_of(tap);
    Index output = 0;
    for (Index plane = 0; plane < planes; ++plane) {
        for (Index od = 0; od < p.out[0]; ++od) {
            const Index d = plane * p.in[0] + od * p.stride[0] - p.padding[0];
            for (Index oh = 0; oh < p.out[1]; ++oh) {
                const Index h = d * p.in[1] + oh * p.stride[1] - p.padding[1];
                Index at = h * p.in[2] - p.padding[2];
                for (Index ow = 0; ow < p.out[2]; ++ow, ++output, at += p.stride[2]) {
                    const Index tap = taps[output];
                    if (tap >= taps_each) continue;
                    f(output, at + (tap < kOffsets ? offsets[tap] : offset_of(tap)));
                }
            }
        }
    }
}

// As many of Tap as a vector has of T.
template <class T, class Tap>
struct VectorAsLong {
    typedef Tap type __attribute__((vector_size(kWidth<T> * sizeof(Tap))));
};

// The half of v from `first` on, each element twice.
template <int first, class Vector, int... i>
[[gnu::always_inline]] inline Vector doubled(Vector v, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(v, v, (first + i / 2)...);
}

// pair[2 j] = grad[j] where the tap is `left`, pair[2 j + 1] where it is left + 1, 0 elsewhere. Taps
// can be read up to `end`.
template <class T, class Tap, int... i>
[[gnu::always_inline]] inline void spread_pairs(const T* __restrict__ grad,
                                                const Tap* __restrict__ taps, const Tap* end,
                                                Index n, int left,
                                                T* __restrict__ pair,
                                                std::integer_sequence<int, i...> lanes) {
    using At = LaneIndex<T>;
    using Vector = VectorOf<T>;
    using Lanes = VectorOf<At>;
    constexpr int width = kWidth<T>;
    using Taps = typename VectorAsLong<T, Tap>::type;
    const Lanes wanted = Lanes{At(i % 2)...} + At(left);
    const auto half = [&]<int first>(Lanes at, Vector g) -> Vector {
        return doubled<first>(at, lanes) == wanted ? doubled<first>(g, lanes) : Vector{};
    };
    Index j = 0;
    for (; j + width <= n; j += width) {
        const Vector g = Load<Vector>()(grad + j);
        const Lanes at = __builtin_convertvector(Load<Taps>()(taps + j), Lanes);
        store<sizeof g>(pair + 2 * j, half.template operator()<0>(at, g));
        store<sizeof g>(pair + 2 * j + width, half.template operator()<width / 2>(at, g));
    }
    if (j == n) return;
    const int rest = int(n - j);
    const Vector g = load_part<T, sizeof(Vector)>(grad + j, rest);
    Taps found = {};
    __builtin_memcpy(&found, taps + j, (end - taps - j >= width ? width : rest) * sizeof(Tap));
    const Lanes at = __builtin_convertvector(found, Lanes);
    store_part<sizeof g>(pair + 2 * j, half.template operator()<0>(at, g), 2 * rest);
    if (2 * rest <= width) return;
    store_part<sizeof g>(pair + 2 * j + width, half.template operator()<width / 2>(at, g),
                         2 * rest - width);
}

// Windows of two by two that tile the plane: the common case.
bool is_two_by_two(const PoolPlane& p) {
    bool same = p.kernel[0] == 1 && p.stride[0] == 1 && p.padding[0] == 0;
    for (int axis = 1; axis < kPoolAxes; ++axis) {
        same = same && p.kernel[axis] == 2 && p.stride[axis] == 2 && p.padding[axis] == 0 &&
               p.dilation[axis] == 1 && p.out[axis] * 2 <= p.in[axis];
    }
    return same;
}

template <class T, class Tap>
void max_backward(const PoolPlane& p, Index planes, const T* grad, const Tap* taps, T* dx) {
    const Index width = p.in[2], total = planes * p.in[0] * p.in[1] * width;
    const Tap* end = taps + planes * p.out[0] * p.out[1] * p.out[2];
    if (!is_two_by_two(p)) {
        for (Index i = 0; i < total; ++i) dx[i] = 0;
        for_taps(p, planes, taps, [=](Index output, Index input) { dx[input] += grad[output]; });
        return;
    }
    for (Index plane = 0; plane < planes * p.in[0]; ++plane, dx += p.in[1] * width) {
        for (Index oh = 0; oh < p.out[1]; ++oh, grad += p.out[2], taps += p.out[2]) {
            T *const upper = dx + 2 * oh * width, *const lower = upper + width;
            const auto lanes = std::make_integer_sequence<int, kWidth<T>>();
            spread_pairs(grad, taps, end, p.out[2], 0, upper, lanes);
            spread_pairs(grad, taps, end, p.out[2], 2, lower, lanes);
            for (Index i = 2 * p.out[2]; i < width; ++i) upper[i] = lower[i] = 0;
        }
        for (Index i = 2 * p.out[1] * width; i < p.in[1] * width; ++i) dx[i] = 0;
    }
}

template <class T, class Tap>
void max_select(const PoolPlane& p, Index planes, const T* x, const Tap* taps, T* y) {
    const Index total = planes * p.out[0] * p.out[1] * p.out[2];
    for (Index i = 0; i < total; ++i) y[i] = 0;
    for_taps(p, planes, taps, [=](Index output, Index input) { y[output] = x[input]; });
}

template <class T>
void take_larger(const T* __restrict__ row, Index n, LaneIndex<T> number, T* __restrict__ best,
                 LaneIndex<T>* __restrict__ at) {
    for (Index i = 0; i < n; ++i) {
        const bool larger = (row[i] > best[i]) | (row[i] != row[i]);
        best[i] = larger ? row[i] : best[i];
        at[i] = larger ? number : at[i];
    }
}

// ---- averages

template <class T>
[[gnu::always_inline]] inline T divided(T sum, double divisor) {
    if constexpr (std::is_floating_point_v<T>) return sum / T(divisor);
    else return sum / Index(divisor);
}

template <class T>
[[gnu::always_inline]] inline T sum_of(const T* x, Index n) {
    if constexpr (std::is_floating_point_v<T>) {
        return lane_sum<T>(n, [x](auto load, Index i) { return load(x + i); });
    } else {
        T total = 0;
        for (Index i = 0; i < n; ++i) total += x[i];
        return total;
    }
}

template <class T>
[[gnu::always_inline]] inline void add(const T* __restrict__ x, Index n, T* __restrict__ total) {
    for (Index i = 0; i < n; ++i) total[i] += x[i];
}

// The sum of the rows of a window: the row itself if it is only one, else added up in `room`.
template <class T>
const T* sum_rows(const AverageAxis* axes, const T* x, Index od, Index oh, T* room) {
    const Index width = axes[2].in, first = axes[1].start[oh], last = axes[1].stop[oh];
    const T* only = nullptr;
    bool several = false;
    for (Index d = axes[0].start[od]; d < axes[0].stop[od]; ++d) {
        for (Index h = first; h < last; ++h) {
            const T* row = x + (d * axes[1].in + h) * width;
            if (several) {
                add(row, width, room);
            } else if (only) {
                const T* __restrict__ one = only;
                for (Index i = 0; i < width; ++i) room[i] = one[i] + row[i];
                several = true;
            } else {
                only = row;
            }
        }
    }
    if (!only) {
        for (Index i = 0; i < width; ++i) room[i] = 0;
    }
    return only && !several ? only : room;
}

template <class T>
[[gnu::always_inline]] inline void average_of_four(const T* __restrict__ upper,
                                                   const T* __restrict__ lower, Index n, T divisor,
                                                   T* __restrict__ y) {
    for (Index j = 0; j < n; ++j) {
        const T sum = (upper[2 * j] + lower[2 * j]) + (upper[2 * j + 1] + lower[2 * j + 1]);
        y[j] = sum / divisor;
    }
}

template <int step, class T>
[[gnu::always_inline]] inline void sum_columns(const T* __restrict__ x, Index width, Index n,
                                               T* __restrict__ y) {
    for (Index j = 0; j < n; ++j) y[j] = x[j * step];
    for (Index k = 1; k < width; ++k) {
        for (Index j = 0; j < n; ++j) y[j] += x[j * step + k];
    }
}

// y = the sums of the windows of the row
template <class T>
[[gnu::always_inline]] inline void average_row(const AverageAxis& axis, const T* row, double rows,
                                               T* __restrict__ y) {
    Index from = axis.out, to = axis.out;  // what the vectors do
    if ((axis.step == 1 || axis.step == 2) && axis.last_whole > axis.first_whole) {
        from = axis.first_whole;
        to = axis.last_whole;
        const T* start = row + axis.start[from];
        if (axis.step == 1) sum_columns<1>(start, axis.width, to - from, y + from);
        else sum_columns<2>(start, axis.width, to - from, y + from);
    }
    const auto one_by_one = [&](Index first, Index last) {
        for (Index o = first; o < last; ++o) {
            y[o] = sum_of(row + axis.start[o], axis.stop[o] - axis.start[o]);
        }
    };
    one_by_one(0, from);
    one_by_one(to, axis.out);
    for (Index o = 0; o < axis.out; ++o) y[o] = divided(y[o], rows * axis.divisor[o]);
}

// Windows of two by two side by side, with one divisor, as long as the vectors may read them.
bool is_two_by_two(const AverageAxis* axes) {
    if (axes[0].in != 1) return false;
    for (int axis = 1; axis < kPoolAxes; ++axis) {
        const AverageAxis& a = axes[axis];
        if (a.width != 2 || a.step != 2 || a.start[0] != 0) return false;
        if (a.first_whole != 0 || a.last_whole != a.out) return false;
        for (Index o = 1; o < a.out; ++o) {
            if (a.divisor[o] != a.divisor[0]) return false;
        }
    }
    return true;
}

bool is_whole(const AverageAxis* axes) {
    bool whole = true;
    for (int axis = 0; axis < kPoolAxes; ++axis) {
        const AverageAxis& a = axes[axis];
        whole = whole && a.out == 1 && a.start[0] == 0 && a.stop[0] == a.in;
    }
    return whole;
}

template <class T>
void average_forward(const AverageAxis* axes, Index planes, const T* x, T* room, T* y) {
    const Index in_plane = axes[0].in * axes[1].in * axes[2].in;
    const AverageAxis& wide = axes[2];
    const bool whole_rows = wide.out == 1 && wide.start[0] == 0 && wide.stop[0] == wide.in;
    const bool tiles = std::is_floating_point_v<T> && is_two_by_two(axes);
    if (is_whole(axes)) {  // one window, the plane
        const double divisor = axes[0].divisor[0] * axes[1].divisor[0] * axes[2].divisor[0];
        for (Index plane = 0; plane < planes; ++plane) {
            y[plane] = divided(sum_of(x + plane * in_plane, in_plane), divisor);
        }
        return;
    }
    for (Index plane = 0; plane < planes; ++plane, x += in_plane) {
        for (Index od = 0; od < axes[0].out; ++od) {
            for (Index oh = 0; oh < axes[1].out; ++oh, y += wide.out) {
                const double rows = axes[0].divisor[od] * axes[1].divisor[oh];
                if (tiles) {
                    const T* upper = x + 2 * oh * wide.in;
                    average_of_four(upper, upper + wide.in, wide.out, T(rows * wide.divisor[0]), y);
                } else if (whole_rows) {  // adjacent in memory
                    const Index first = axes[1].start[oh], count = axes[1].stop[oh] - first;
                    T total = 0;
                    for (Index d = axes[0].start[od]; d < axes[0].stop[od]; ++d) {
                        total += sum_of(x + (d * axes[1].in + first) * wide.in, count * wide.in);
                    }
                    y[0] = divided(total, rows * wide.divisor[0]);
                } else {
                    average_row(wide, sum_rows(axes, x, od, oh, room), rows, y);
                }
            }
        }
    }
}

// total = what each place of the row receives from the windows it is in; `shares` has room for a
// row of outputs.
template <class T>
void spread_row(const AverageAxis& axis, const T* __restrict__ grad, double rows,
                T* __restrict__ shares, T* __restrict__ total) {
    for (Index o = 0; o < axis.out; ++o) shares[o] = grad[o] / T(rows * axis.divisor[o]);
    if (axis.width == 2 && axis.step == 2 && axis.covering && axis.last_whole == axis.out &&
        axis.first_whole == 0) {
        for (Index o = 0; o < axis.out; ++o) total[2 * o] = total[2 * o + 1] = shares[o];
        return;
    }
    for (Index i = 0; i < axis.in; ++i) total[i] = 0;
    Index from = axis.out, to = axis.out;
    if (axis.step == 1 && axis.last_whole > axis.first_whole) {
        from = axis.first_whole;
        to = axis.last_whole;
        for (Index k = 0; k < axis.width; ++k) {
            add(shares + from, to - from, total + axis.start[from] + k);
        }
    }
    const auto one_by_one = [&](Index first, Index last) {
        for (Index o = first; o < last; ++o) {
            for (Index i = axis.start[o]; i < axis.stop[o]; ++i) total[i] += shares[o];
        }
    };
    one_by_one(0, from);
    one_by_one(to, axis.out);
}

template <class T>
void average_backward(const AverageAxis* axes, Index planes, const T* grad, T* room, T* dx) {
    const AverageAxis& wide = axes[2];
    const Index width = wide.in, in_plane = axes[0].in * axes[1].in * width;
    const bool once = axes[0].disjoint && axes[1].disjoint;
    const bool everywhere = axes[0].covering && axes[1].covering;
    const bool whole_rows = wide.out == 1 && wide.start[0] == 0 && wide.stop[0] == width;
    for (Index plane = 0; plane < planes; ++plane, dx += in_plane) {
        if (!once || !everywhere) {
            for (Index i = 0; i < in_plane; ++i) dx[i] = 0;
        }
        for (Index od = 0; od < axes[0].out; ++od) {
            for (Index oh = 0; oh < axes[1].out; ++oh, grad += wide.out) {
                const double rows = axes[0].divisor[od] * axes[1].divisor[oh];
                const Index first = axes[1].start[oh], last = axes[1].stop[oh];
                if (once && whole_rows) {
                    const T share = grad[0] / T(rows * wide.divisor[0]);
                    for (Index d = axes[0].start[od]; d < axes[0].stop[od]; ++d) {
                        T* const block = dx + (d * axes[1].in + first) * width;
                        for (Index i = 0; i < (last - first) * width; ++i) block[i] = share;
                    }
                    continue;
                }
                spread_row(wide, grad, rows, room + width, room);
                for (Index d = axes[0].start[od]; d < axes[0].stop[od]; ++d) {
                    for (Index h = first; h < last; ++h) {
                        T* const row = dx + (d * axes[1].in + h) * width;
                        if (once) __builtin_memcpy(row, room, std::size_t(width) * sizeof(T));
                        else add(room, width, row);
                    }
                }
            }
        }
    }
}

template <class T, class Tap>
constexpr MaxPoolLoops<T, Tap> max_loops() {
    return {max_forward<T, Tap>, max_backward<T, Tap>, max_select<T, Tap>};
}

template <class T>
constexpr PoolLoops<T> loops_of() {
    return {max_loops<T, std::uint8_t>(), max_loops<T, std::int32_t>(),
            {average_forward<T>, average_backward<T>}, take_larger<T>};
}

constexpr PoolTable kTable{loops_of<float>(), loops_of<double>(), loops_of<std::int64_t>()};

}  // namespace

const PoolTable& pool_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
