// The loops of attention_loops.h.
#include "kernels/attention_loops.h"

#include <utility>

#include "elementwise/math.h"
#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

// ---- transposing, in squares of as many vectors as one has lanes

// Lanes from `first` of a and b, taken in turn: a[first], b[first], a[first + 1], ...
template <int first, class Vector, int... i>
[[gnu::always_inline]] inline Vector interleave(Vector a, Vector b,
                                                std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (first + i / 2 + (i % 2) * int(sizeof...(i)))...);
}

// Each pass brings row r + n/2 between the elements of row r; log2(n) of them transpose n by n.
template <class T>
[[gnu::always_inline]] inline void transpose_square(const T* from, Index from_row, T* to,
                                                    Index to_row) {
    using Vector = VectorOf<T>;
    constexpr int n = kWidth<T>;
    constexpr auto places = std::make_integer_sequence<int, n>();
    const Load<Vector> load;
    Vector v[n], mixed[n];
#pragma GCC unroll 16
    for (int r = 0; r < n; ++r) v[r] = load(from + r * from_row);
#pragma GCC unroll 4
    for (int pass = n; pass > 1; pass /= 2) {
#pragma GCC unroll 8
        for (int r = 0; r < n / 2; ++r) {
            mixed[2 * r] = interleave<0>(v[r], v[r + n / 2], places);
            mixed[2 * r + 1] = interleave<n / 2>(v[r], v[r + n / 2], places);
        }
#pragma GCC unroll 16
        for (int r = 0; r < n; ++r) v[r] = mixed[r];
    }
#pragma GCC unroll 16
    for (int r = 0; r < n; ++r) __builtin_memcpy(to + r * to_row, &v[r], sizeof(Vector));
}

template <class T>
void transpose(Index rows, Index cols, const T* from, Index from_row, T* to, Index width) {
    constexpr Index n = kWidth<T>;
    const Index whole_rows = rows / n * n, whole_cols = cols / n * n;
    for (Index c = 0; c < whole_cols; c += n) {
        for (Index r = 0; r < whole_rows; r += n) {
            transpose_square(from + r * from_row + c, from_row, to + c * width + r, width);
        }
    }
    for (Index c = 0; c < cols; ++c) {
        const Index done = c < whole_cols ? whole_rows : 0;
        for (Index r = done; r < rows; ++r) to[c * width + r] = from[r * from_row + c];
        for (Index r = rows; r < width; ++r) to[c * width + r] = T(0);
    }
}

// ---- tiles

template <class T>
void add(T* __restrict__ x, const T* __restrict__ y, Index n) {
    for (Index i = 0; i < n; ++i) x[i] += y[i];
}

// By the bits: all ones, from 0 - 1, leave those of -inf standing.
template <class T>
void additive(const bool* __restrict__ allowed, T* __restrict__ to, Index n) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr Bits hidden = __builtin_bit_cast(Bits, -T(__builtin_inf()));
    const auto* from = reinterpret_cast<const std::uint8_t*>(allowed);
    for (Index i = 0; i < n; ++i) {
        to[i] = __builtin_bit_cast(T, (Bits(from[i] & 1) - 1) & hidden);
    }
}

template <class T>
void add_to_rows(Index rows, Index width, T* __restrict__ x, const T* __restrict__ numbers) {
    for (Index r = 0; r < rows; ++r) {
        const T number = numbers[r];
        for (Index c = 0; c < width; ++c) x[r * width + c] += number;
    }
}

template <class T>
void hide(Index rows, Index width, Index count, T* scores) {
    for (Index r = 0; r < rows; ++r) {
        const Index end = count + r < width ? count + r : width;
        for (Index c = 0; c < end; ++c) scores[r * width + c] = -T(__builtin_inf());
    }
}

// The rows of kTileLanes columns combined into one, which starts from `begin`; several rows at a
// time, to hide the latency.
template <class T, class Combine>
[[gnu::always_inline]] inline void combine_rows(const T* x, Index rows, Index width, T begin,
                                                T* result, Combine combine) {
    using Vector = VectorOf<T>;
    constexpr int vectors = int(kTileLanes) / kWidth<T>, sets = vectors >= 4 ? 1 : 4 / vectors;
    const Load<Vector> load;
    Vector total[sets][vectors];
    for (auto& set : total) {
        for (Vector& v : set) v = Vector{} + begin;
    }
    Index r = 0;
    for (; r + sets <= rows; r += sets) {
#pragma GCC unroll 4
        for (int s = 0; s < sets; ++s) {
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) {
                total[s][v] = combine(load(x + (r + s) * width + v * kWidth<T>), total[s][v]);
            }
        }
    }
    for (; r < rows; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) {
            total[0][v] = combine(load(x + r * width + v * kWidth<T>), total[0][v]);
        }
    }
#pragma GCC unroll 4
    for (int s = 1; s < sets; ++s) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) total[0][v] = combine(total[s][v], total[0][v]);
    }
    __builtin_memcpy(result, total[0], sizeof total[0]);
}

template <class T>
bool accumulate(Index rows, Index width, T* __restrict__ scores, T* __restrict__ max,
                T* __restrict__ sum, T* __restrict__ factor) {
    bool shrinks = false;
    for (Index at = 0; at < width; at += kTileLanes) {
        T* x = scores + at;
        T shift[kTileLanes], largest[kTileLanes], added[kTileLanes];
        // NaNs are passed over: they come back through the exponentials.
        combine_rows(x, rows, width, -T(__builtin_inf()), largest,
                     [](auto a, auto b) { return a > b ? a : b; });
        for (Index i = 0; i < kTileLanes; ++i) {
            const T before = max[at + i], now = largest[i] > before ? largest[i] : before;
            shift[i] = now == -T(__builtin_inf()) ? T(0) : now;  // no key so far is allowed
            factor[at + i] = math::exp(before - shift[i]);
            max[at + i] = now;
        }
        for (Index r = 0; r < rows; ++r) {
            for (Index i = 0; i < kTileLanes; ++i) {
                x[r * width + i] = math::exp(x[r * width + i] - shift[i]);
            }
        }
        combine_rows(x, rows, width, T(0), added, [](auto a, auto b) { return b + a; });
        for (Index i = 0; i < kTileLanes; ++i) {
            sum[at + i] = sum[at + i] * factor[at + i] + added[i];
            shrinks |= factor[at + i] != T(1);
        }
    }
    return shrinks;
}

template <class T>
bool accumulate_row(Index n, T* __restrict__ scores, T* __restrict__ max, T* __restrict__ sum,
                    T* __restrict__ factor) {
    const T before = *max, largest = lane_max(scores, n);
    const T now = largest > before ? largest : before;
    const T shift = now == -T(__builtin_inf()) ? T(0) : now;
    for (Index i = 0; i < n; ++i) scores[i] = math::exp(scores[i] - shift);
    *max = now;
    *factor = math::exp(before - shift);
    *sum = *sum * *factor +
           lane_sum<T>(n, [scores](auto load, Index i) { return load(scores + i); });
    return *factor != T(1);
}

template <class T>
void scale_rows(Index rows, Index cols, T* x, Index x_row, const T* factors) {
    for (Index r = 0; r < rows; ++r) {
        const T factor = factors[r];
        T* row = x + r * x_row;
        for (Index c = 0; c < cols; ++c) row[c] *= factor;
    }
}

template <class T>
void probabilities(Index rows, Index width, T* __restrict__ scores, const T* __restrict__ max,
                   const T* __restrict__ inverse) {
    for (Index at = 0; at < width; at += kTileLanes) {
        for (Index r = 0; r < rows; ++r) {
            T* x = scores + r * width + at;
            for (Index i = 0; i < kTileLanes; ++i) {
                x[i] = math::exp(x[i] - max[at + i]) * inverse[at + i];
            }
        }
    }
}

template <class T>
void score_gradients(Index rows, Index width, const T* __restrict__ probabilities,
                     T* __restrict__ grads, const T* __restrict__ delta) {
    for (Index at = 0; at < width; at += kTileLanes) {
        for (Index r = 0; r < rows; ++r) {
            const T* p = probabilities + r * width + at;
            T* x = grads + r * width + at;
            for (Index i = 0; i < kTileLanes; ++i) x[i] = p[i] * (x[i] - delta[at + i]);
        }
    }
}

template <class T>
void row_dots(Index rows, Index cols, const T* a, Index a_row, const T* b, Index b_row, T* out) {
    for (Index r = 0; r < rows; ++r) {
        const T *x = a + r * a_row, *y = b + r * b_row;
        out[r] = lane_sum<T>(cols, [x, y](auto load, Index i) { return load(x + i) * load(y + i); });
    }
}

template <class T>
constexpr AttentionLoops<T> loops_of() {
    return {transpose<T>,     add<T>,        additive<T>,      add_to_rows<T>,     hide<T>,
            accumulate<T>,    accumulate_row<T>, scale_rows<T>, probabilities<T>,
            score_gradients<T>, row_dots<T>};
}

constexpr AttentionTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const AttentionTable& attention_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
