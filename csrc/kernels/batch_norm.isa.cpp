// The loops of batch_norm_loops.h. A block is walked in the order of memory; where channels have a
// single number for each item, the vectors run over the channels.
#include "kernels/batch_norm_loops.h"

#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

constexpr Index kColumns = 64;

// Calls f(channel, offset of its row) for all rows of all items.
template <class F>
[[gnu::always_inline]] inline void for_rows(const NormBlock& block, F&& f) {
    for (Index i = 0; i < block.items; ++i) {
        for (Index c = 0; c < block.channels; ++c) f(c, i * block.item + c * block.row);
    }
}

// Calls f(first channel, channels) for channels that are added up side by side.
template <class F>
[[gnu::always_inline]] inline void for_columns(Index channels, F&& f) {
    Index c = 0;
    for (; c + kColumns <= channels; c += kColumns) f(c, kColumns);
    if (c < channels) f(c, channels - c);
}

// Two passes: the mean, then the squares around it, so that a large mean costs no digits.
template <class T>
void moments(const NormBlock& block, const T* x, Moments* all) {
    const Index n = block.n, channels = block.channels;
    const double count = double(block.items * n);
    if (n == 1) {
        for_columns(channels, [&](Index first, Index width) {
            double mean[kColumns] = {}, squares[kColumns] = {};
            for (Index i = 0; i < block.items; ++i) {
                const T* __restrict__ from = x + i * block.item + first;
                for (Index c = 0; c < width; ++c) mean[c] += double(from[c]);
            }
            for (Index c = 0; c < width; ++c) mean[c] /= count;
            for (Index i = 0; i < block.items; ++i) {
                const T* __restrict__ from = x + i * block.item + first;
                for (Index c = 0; c < width; ++c) {
                    const double apart = double(from[c]) - mean[c];
                    squares[c] += apart * apart;
                }
            }
            for (Index c = 0; c < width; ++c) all[first + c] = {mean[c], squares[c]};
        });
        return;
    }
    for (Index c = 0; c < channels; ++c) all[c] = {0, 0};
    for_rows(block, [=](Index c, Index at) {
        const T* const row = x + at;
        all[c].mean += double(lane_sum<T>(n, [row](auto load, Index i) { return load(row + i); }));
    });
    for (Index c = 0; c < channels; ++c) all[c].mean /= count;
    for_rows(block, [=](Index c, Index at) {
        const T* const row = x + at;
        const T center = T(all[c].mean);
        all[c].squares += double(lane_sum<T>(n, [row, center](auto load, Index i) {
            const auto apart = load(row + i) - center;
            return apart * apart;
        }));
    });
    for (Index c = 0; c < channels; ++c) {  // the center was rounded
        const double rest = all[c].mean - double(T(all[c].mean));
        all[c].squares -= count * rest * rest;
    }
}

template <class T>
void normalize(const NormBlock& block, const T* x, const T* __restrict__ mean,
               const T* __restrict__ scale, const T* __restrict__ shift, T* y) {
    if (block.n == 1) {
        for (Index i = 0; i < block.items; ++i) {
            const T* __restrict__ from = x + i * block.item;
            T* __restrict__ to = y + i * block.item;
            for (Index c = 0; c < block.channels; ++c) {
                to[c] = (from[c] - mean[c]) * scale[c] + shift[c];
            }
        }
        return;
    }
    for_rows(block, [=, n = block.n](Index c, Index at) {
        const T* __restrict__ from = x + at;
        T* __restrict__ to = y + at;
        const T m = mean[c], a = scale[c], b = shift[c];
        for (Index i = 0; i < n; ++i) to[i] = (from[i] - m) * a + b;
    });
}

template <class T>
void sums(const NormBlock& block, const T* grad, const T* x, const T* __restrict__ mean,
          double* __restrict__ grads, double* __restrict__ products) {
    if (block.n == 1) {
        for_columns(block.channels, [&](Index first, Index width) {
            double ones[kColumns] = {}, twos[kColumns] = {};
            for (Index i = 0; i < block.items; ++i) {
                const T* __restrict__ g = grad + i * block.item + first;
                const T* __restrict__ from = x + i * block.item + first;
                for (Index c = 0; c < width; ++c) {
                    ones[c] += double(g[c]);
                    twos[c] += double(g[c] * (from[c] - mean[first + c]));
                }
            }
            for (Index c = 0; c < width; ++c) {
                grads[first + c] = ones[c];
                products[first + c] = twos[c];
            }
        });
        return;
    }
    for (Index c = 0; c < block.channels; ++c) grads[c] = products[c] = 0;
    for_rows(block, [=, n = block.n](Index c, Index at) {
        const T *const g = grad + at, *const from = x + at;
        const T center = mean[c];
        const SumPair<T> pair =
            lane_sums<T>(n, [g, from, center](auto load, Index i, auto& one, auto& two) {
                one = load(g + i);
                two = one * (load(from + i) - center);
            });
        grads[c] += double(pair.first);
        products[c] += double(pair.second);
    });
}

template <class T>
void gradient(const NormBlock& block, const T* grad, const T* x, const T* __restrict__ mean,
              const T* __restrict__ level, const T* __restrict__ slope,
              const T* __restrict__ scale, T* dx) {
    if (block.n == 1) {
        for (Index i = 0; i < block.items; ++i) {
            const T* __restrict__ g = grad + i * block.item;
            const T* __restrict__ from = x + i * block.item;
            T* __restrict__ to = dx + i * block.item;
            for (Index c = 0; c < block.channels; ++c) {
                to[c] = g[c] * scale[c] - level[c] - (from[c] - mean[c]) * slope[c];
            }
        }
        return;
    }
    for_rows(block, [=, n = block.n](Index c, Index at) {
        const T* __restrict__ g = grad + at;
        const T* __restrict__ from = x + at;
        T* __restrict__ to = dx + at;
        const T m = mean[c], l = level[c], s = slope[c], a = scale[c];
        for (Index i = 0; i < n; ++i) to[i] = g[i] * a - l - (from[i] - m) * s;
    });
}

template <class T>
constexpr BatchNormLoops<T> loops_of() {
    return {moments<T>, normalize<T>, sums<T>, gradient<T>};
}

constexpr BatchNormTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const BatchNormTable& batch_norm_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
