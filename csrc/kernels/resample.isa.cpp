// The loops of resample_loops.h. Along the last axis a vector holds one number each of several rows,
// so that taps are the same for all lanes.
#include "kernels/resample_loops.h"

#include "runtime/vectors.h"

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

// to[j * to_row + i] = from[i * from_row + j] for i < rows and j < cols, by squares that fit the
// registers.
template <class T>
void turn(const T* from, Index from_row, Index rows, Index cols, T* to, Index to_row) {
    constexpr Index s = kSquareBytes / Index(sizeof(T));
    const Index whole = cols / s * s;
    for (Index i = 0; i + s <= rows; i += s) {
        for (Index j = 0; j < whole; j += s) {
            typename Vector<T, kSquareBytes>::type square[s];
            for (Index k = 0; k < s; ++k) {
                square[k] = load<T, kSquareBytes>(from + (i + k) * from_row + j);
            }
            transpose<int(s)>(square);
            for (Index k = 0; k < s; ++k) {
                store<kSquareBytes>(to + (j + k) * to_row + i, square[k]);
            }
        }
        for (Index j = whole; j < cols; ++j) {
            for (Index k = i; k < i + s; ++k) to[j * to_row + k] = from[k * from_row + j];
        }
    }
    for (Index i = rows / s * s; i < rows; ++i) {
        for (Index j = 0; j < cols; ++j) to[j * to_row + i] = from[i * from_row + j];
    }
}

template <class T>
void rows(const TapView<T>& taps, const T* from, T* to, Index rows, T* scratch) {
    T* const found = scratch + taps.in * W<T>;
    if (rows < W<T>) {  // lanes that nobody reads
        for (Index i = 0; i < taps.in * W<T>; ++i) scratch[i] = 0;
    }
    turn(from, taps.in, rows, taps.in, scratch, W<T>);  // row r goes to lane r
    for (Index o = 0; o < taps.out; ++o) {
        add_taps<1, T>(taps, o, scratch, W<T>, found + o * W<T>);
    }
    turn(found, W<T>, taps.out, rows, to, taps.out);
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
