// The loops of resample_loops.h. Along the last axis a vector holds one number each of several rows,
// so that taps are the same for all lanes.
#include "kernels/resample_loops.h"

#include "kernels/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

template <class T>
constexpr Index W = Vector<T>::lanes;
template <class T>
using Vec = typename Vector<T>::type;

// The sum for result o of `count` vectors side by side.
template <int count, class T>
[[gnu::always_inline]] inline void add_taps(const TapView<T>& taps, Index o, const T* from,
                                            Index step, T* to) {
    Vec<T> sums[count] = {};
    Index t = taps.start[o];
    const Index last = taps.start[o + 1];
    if (t < last) {
        const T* line = from + taps.index[t] * step;
        const Vec<T> weight = spread<Vec<T>>(taps.weight[t]);
        for (int k = 0; k < count; ++k) sums[k] = weight * load(line + k * W<T>);
    }
    for (++t; t < last; ++t) {
        const T* line = from + taps.index[t] * step;
        const Vec<T> weight = spread<Vec<T>>(taps.weight[t]);
        for (int k = 0; k < count; ++k) sums[k] = fma(weight, load(line + k * W<T>), sums[k]);
    }
    for (int k = 0; k < count; ++k) store(to + k * W<T>, sums[k]);
}

template <class T>
void columns(const TapView<T>& taps, const T* from, T* to, Index inner, Index columns) {
    constexpr Index w = W<T>;
    for (Index o = 0; o < taps.out; ++o, to += inner) {
        Index c = 0;
        for (; c + 4 * w <= columns; c += 4 * w) add_taps<4, T>(taps, o, from + c, inner, to + c);
        for (; c + w <= columns; c += w) add_taps<1, T>(taps, o, from + c, inner, to + c);
        for (; c < columns; ++c) {
            T sum = 0;
            for (Index t = taps.start[o]; t < taps.start[o + 1]; ++t) {
                sum += taps.weight[t] * from[taps.index[t] * inner + c];
            }
            to[c] = sum;
        }
    }
}

// Squares that fit the registers; a row of lanes is several of them.
template <class T>
constexpr int kSide = kSquareBytes / int(sizeof(T));

// (rows, n) to (n, W): row r goes to lane r.
template <class T>
void to_lanes(const T* from, Index n, Index rows, T* to) {
    constexpr Index s = kSide<T>;
    const Index whole = n / s * s;
    for (Index r = 0; r + s <= rows; r += s) {
        for (Index j = 0; j < whole; j += s) {
            typename Vector<T, kSquareBytes>::type square[s];
            for (Index l = 0; l < s; ++l) square[l] = load<T, kSquareBytes>(from + (r + l) * n + j);
            transpose<int(s)>(square);
            for (Index l = 0; l < s; ++l) store<kSquareBytes>(to + (j + l) * W<T> + r, square[l]);
        }
        for (Index j = whole; j < n; ++j) {
            for (Index l = r; l < r + s; ++l) to[j * W<T> + l] = from[l * n + j];
        }
    }
    for (Index r = rows / s * s; r < rows; ++r) {
        for (Index j = 0; j < n; ++j) to[j * W<T> + r] = from[r * n + j];
    }
}

template <class T>
void from_lanes(const T* from, Index n, Index rows, T* to) {
    constexpr Index s = kSide<T>;
    const Index whole = n / s * s;
    for (Index r = 0; r + s <= rows; r += s) {
        for (Index j = 0; j < whole; j += s) {
            typename Vector<T, kSquareBytes>::type square[s];
            for (Index l = 0; l < s; ++l) {
                square[l] = load<T, kSquareBytes>(from + (j + l) * W<T> + r);
            }
            transpose<int(s)>(square);
            for (Index l = 0; l < s; ++l) store<kSquareBytes>(to + (r + l) * n + j, square[l]);
        }
        for (Index j = whole; j < n; ++j) {
            for (Index l = r; l < r + s; ++l) to[l * n + j] = from[j * W<T> + l];
        }
    }
    for (Index r = rows / s * s; r < rows; ++r) {
        for (Index j = 0; j < n; ++j) to[r * n + j] = from[j * W<T> + r];
    }
}

template <class T>
void rows(const TapView<T>& taps, const T* from, T* to, Index rows, T* scratch) {
    T* const found = scratch + taps.in * W<T>;
    if (rows < W<T>) {  // lanes that nobody reads
        for (Index i = 0; i < taps.in * W<T>; ++i) scratch[i] = 0;
    }
    to_lanes<T>(from, taps.in, rows, scratch);
    for (Index o = 0; o < taps.out; ++o) {
        add_taps<1, T>(taps, o, scratch, W<T>, found + o * W<T>);
    }
    from_lanes<T>(found, taps.out, rows, to);
}

template <class T>
void pick(const TapView<T>& taps, const T* from, T* to, Index rows) {
    for (Index r = 0; r < rows; ++r, from += taps.in, to += taps.out) {
        for (Index o = 0; o < taps.out; ++o) to[o] = from[taps.index[o]];
    }
}

template <class T>
constexpr ResampleLoops<T> loops_of() {
    return {int(W<T>), columns<T>, rows<T>, pick<T>};
}

constexpr ResampleTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const ResampleTable& resample_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
