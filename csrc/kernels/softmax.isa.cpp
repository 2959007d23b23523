// The loops of softmax_loops.h. Exponentials are taken over flat stretches of a small buffer, so
// that short rows fill whole vectors as well as long ones do.
#include "kernels/softmax_loops.h"

#include "elementwise/math.h"
#include "kernels/lanes.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

using Index = std::int64_t;

constexpr Index kPiece = 1024;  // numbers worked on at a time: source and result fit L1

template <class T>
constexpr int kVector = int(64 / sizeof(T));

constexpr Index smaller(Index a, Index b) { return a < b ? a : b; }

// values[i] = f(values[i]). Whole vectors only: the last few numbers go through a padded vector,
// for calls on scalars are slow.
template <class T>
void exp_vectors(T* values, Index vectors) {
    for (Index i = 0; i < vectors * kVector<T>; ++i) values[i] = math::exp(values[i]);
}
template <class T>
void log_vectors(T* values, Index vectors) {
    for (Index i = 0; i < vectors * kVector<T>; ++i) values[i] = math::log(values[i]);
}

template <auto map_vectors, class T>
void map_in_place(T* values, Index n) {
    constexpr int width = kVector<T>;
    const Index whole = n / width, done = whole * width;
    map_vectors(values, whole);
    if (done == n) return;
    T rest[width] = {};
    for (Index i = done; i < n; ++i) rest[i - done] = values[i];
    map_vectors(rest, 1);
    for (Index i = done; i < n; ++i) values[i] = rest[i - done];
}

template <class T>
void exp_in_place(T* values, Index n) {
    map_in_place<exp_vectors<T>>(values, n);
}
template <class T>
void log_in_place(T* values, Index n) {
    map_in_place<log_vectors<T>>(values, n);
}

template <class T>
[[gnu::always_inline]] inline void subtract(const T* __restrict__ x, T value, Index n,
                                            T* __restrict__ out) {
    for (Index i = 0; i < n; ++i) out[i] = x[i] - value;
}

// ---- rows

// How many rows are taken together.
constexpr Index rows_at_once(Index n) { return n >= kPiece ? 1 : kPiece / (n > 0 ? n : 1); }

// exp(x - max) of some rows (see rows_at_once), with the maximum and the sum of each. `out` holds
// the exponentials if `keep`; else it is a buffer of kPiece numbers.
template <bool keep, class T>
void exponentials(const T* x, Index rows, Index n, T* out, T* max, T* sum) {
    if (n <= kPiece) {
        for (Index r = 0; r < rows; ++r) {
            max[r] = lane_max(x + r * n, n);
            subtract(x + r * n, max[r], n, out + r * n);
        }
        exp_in_place(out, rows * n);
        for (Index r = 0; r < rows; ++r) {
            const T* row = out + r * n;
            sum[r] = lane_sum<T>(n, [row](auto load, Index i) { return load(row + i); });
        }
        return;
    }
    *max = lane_max(x, n);
    double total = 0;
    for (Index first = 0; first < n; first += kPiece) {
        const Index count = smaller(kPiece, n - first);
        T* piece = keep ? out + first : out;
        subtract(x + first, *max, count, piece);
        exp_in_place(piece, count);
        total += double(
            lane_sum<T>(count, [piece](auto load, Index i) { return load(piece + i); }));
    }
    *sum = T(total);
}

template <class T>
void softmax_rows(const Slices& slices, const T* x, T* y) {
    const Index n = slices.n, step = rows_at_once(n);
    T max[kPiece], sum[kPiece];
    for (Index first = 0; first < slices.count; first += step) {
        const Index rows = smaller(step, slices.count - first);
        T* out = y + first * n;
        exponentials<true>(x + first * n, rows, n, out, max, sum);
        for (Index r = 0; r < rows; ++r) {
            const T inverse = T(1) / sum[r];
            for (Index i = 0; i < n; ++i) out[r * n + i] *= inverse;
        }
    }
}

template <class T>
void log_softmax_rows(const Slices& slices, const T* __restrict__ x, T* __restrict__ y) {
    const Index n = slices.n, step = rows_at_once(n);
    T max[kPiece], log_sum[kPiece], buffer[kPiece];
    for (Index first = 0; first < slices.count; first += step) {
        const Index rows = smaller(step, slices.count - first);
        exponentials<false>(x + first * n, rows, n, buffer, max, log_sum);
        log_in_place(log_sum, rows);
        for (Index r = 0; r < rows; ++r) {
            const Index at = (first + r) * n;
            for (Index i = 0; i < n; ++i) y[at + i] = (x[at + i] - max[r]) - log_sum[r];
        }
    }
}

template <class T>
void statistics_rows(const Slices& slices, const T* x, T* max, T* log_sum) {
    const Index n = slices.n, step = rows_at_once(n);
    T buffer[kPiece];
    for (Index first = 0; first < slices.count; first += step) {
        const Index rows = smaller(step, slices.count - first);
        exponentials<false>(x + first * n, rows, n, buffer, max + first, log_sum + first);
    }
    log_in_place(log_sum, slices.count);
}

template <class T>
void softmax_backward_rows(const Slices& slices, const T* __restrict__ grad,
                           const T* __restrict__ y, T* __restrict__ dx) {
    const Index n = slices.n;
    for (Index at = 0; at < slices.count * n; at += n) {
        const T* g = grad + at;
        const T* p = y + at;
        const T dot =
            lane_sum<T>(n, [g, p](auto load, Index i) { return load(g + i) * load(p + i); });
        for (Index i = 0; i < n; ++i) dx[at + i] = p[i] * (g[i] - dot);
    }
}

// Calls f(first row, rows, first number of each row, numbers) for stretches of at most kPiece
// numbers: either whole rows or a part of one.
template <class F>
[[gnu::always_inline]] inline void for_pieces(const Slices& slices, F f) {
    const Index n = slices.n, step = rows_at_once(n);
    for (Index first = 0; first < slices.count; first += step) {
        const Index rows = smaller(step, slices.count - first);
        for (Index from = 0; from < n; from += kPiece) {
            f(first, rows, from, smaller(kPiece, n - from));
        }
    }
}

template <class T>
void log_softmax_backward_rows(const Slices& slices, const T* __restrict__ grad,
                               const T* __restrict__ y, T* __restrict__ dx) {
    const Index n = slices.n;
    T buffer[kPiece], sum[kPiece];
    for_pieces(slices, [&](Index first, Index rows, Index from, Index count) {
        const Index start = first * n + from;
        for (Index i = 0; i < rows * count; ++i) buffer[i] = y[start + i];
        exp_in_place(buffer, rows * count);
        for (Index r = 0; r < rows; ++r) {
            const T* g = grad + (first + r) * n;
            if (from == 0) {
                sum[r] = lane_sum<T>(n, [g](auto load, Index i) { return load(g + i); });
            }
            const Index at = start + r * n;
            const T* p = buffer + r * count;
            for (Index i = 0; i < count; ++i) dx[at + i] = grad[at + i] - p[i] * sum[r];
        }
    });
}

template <class T>
void scaled_softmax_rows(const Slices& slices, const T* __restrict__ x, const T* max,
                         const T* log_sum, const T* scale, T* __restrict__ out, bool subtract) {
    const Index n = slices.n;
    T buffer[kPiece];
    for_pieces(slices, [&](Index first, Index rows, Index from, Index count) {
        const Index start = first * n + from;
        for (Index r = 0; r < rows; ++r) {
            const T high = max[first + r], low = log_sum[first + r];
            const T* row = x + start + r * n;
            T* shifted = buffer + r * count;
            for (Index i = 0; i < count; ++i) shifted[i] = (row[i] - high) - low;
        }
        exp_in_place(buffer, rows * count);
        for (Index r = 0; r < rows; ++r) {
            const T factor = scale[first + r];
            const T* p = buffer + r * count;
            T* row = out + start + r * n;
            if (subtract) {
                for (Index i = 0; i < count; ++i) row[i] = factor * p[i] - row[i];
            } else {
                for (Index i = 0; i < count; ++i) row[i] = factor * p[i];
            }
        }
    });
}

// ---- columns

// How many columns are taken together: enough to fill vectors, few enough that their n numbers stay
// in the cache between the passes.
constexpr Index columns_at_once(Index n) {
    const Index fitting = 8192 / (n > 0 ? n : 1) / 16 * 16;
    return fitting < 64 ? 64 : smaller(fitting, kPiece);
}

// Calls f(first column, columns).
template <class F>
[[gnu::always_inline]] inline void for_columns(const Slices& slices, F f) {
    const Index step = columns_at_once(slices.n);
    for (Index first = 0; first < slices.count; first += step) {
        f(first, smaller(step, slices.count - first));
    }
}

// Calls f(first class, classes) for as many classes as fit the buffer.
template <class F>
[[gnu::always_inline]] inline void for_classes(Index n, Index columns, F f) {
    const Index step = kPiece / columns;
    for (Index first = 0; first < n; first += step) f(first, smaller(step, n - first));
}

template <class T>
void max_of_columns(const T* __restrict__ x, Index n, Index stride, Index columns,
                    T* __restrict__ max) {
    for (Index j = 0; j < columns; ++j) max[j] = -math::kInfinity<T>;
    for (Index c = 0; c < n; ++c) {
        const T* row = x + c * stride;
        for (Index j = 0; j < columns; ++j) max[j] = row[j] > max[j] ? row[j] : max[j];
    }
}

// As `exponentials`, for columns; out has the layout of x if given.
template <class T>
void exponentials_of_columns(const T* __restrict__ x, Index n, Index stride, Index columns,
                             T* __restrict__ out, T* __restrict__ max, T* __restrict__ sum) {
    T buffer[kPiece];
    max_of_columns(x, n, stride, columns, max);
    for (Index j = 0; j < columns; ++j) sum[j] = 0;
    for_classes(n, columns, [&](Index first, Index classes) {
        for (Index c = 0; c < classes; ++c) {
            const T* row = x + (first + c) * stride;
            for (Index j = 0; j < columns; ++j) buffer[c * columns + j] = row[j] - max[j];
        }
        exp_in_place(buffer, classes * columns);
        for (Index c = 0; c < classes; ++c) {
            const T* row = buffer + c * columns;
            for (Index j = 0; j < columns; ++j) sum[j] += row[j];
            if (!out) continue;
            T* kept = out + (first + c) * stride;
            for (Index j = 0; j < columns; ++j) kept[j] = row[j];
        }
    });
}

template <class T>
void softmax_columns(const Slices& slices, const T* x, T* y) {
    const Index n = slices.n, stride = slices.class_stride;
    T max[kPiece], sum[kPiece];
    for_columns(slices, [&](Index first, Index columns) {
        exponentials_of_columns(x + first, n, stride, columns, y + first, max, sum);
        for (Index j = 0; j < columns; ++j) sum[j] = T(1) / sum[j];
        for (Index c = 0; c < n; ++c) {
            T* row = y + c * stride + first;
            for (Index j = 0; j < columns; ++j) row[j] *= sum[j];
        }
    });
}

template <class T>
void log_softmax_columns(const Slices& slices, const T* __restrict__ x, T* __restrict__ y) {
    const Index n = slices.n, stride = slices.class_stride;
    T max[kPiece], log_sum[kPiece];
    for_columns(slices, [&](Index first, Index columns) {
        exponentials_of_columns<T>(x + first, n, stride, columns, nullptr, max, log_sum);
        log_in_place(log_sum, columns);
        for (Index c = 0; c < n; ++c) {
            const Index at = c * stride + first;
            for (Index j = 0; j < columns; ++j) y[at + j] = (x[at + j] - max[j]) - log_sum[j];
        }
    });
}

template <class T>
void statistics_columns(const Slices& slices, const T* x, T* max, T* log_sum) {
    for_columns(slices, [&](Index first, Index columns) {
        exponentials_of_columns<T>(x + first, slices.n, slices.class_stride, columns, nullptr,
                                   max + first, log_sum + first);
    });
    log_in_place(log_sum, slices.count);
}

template <class T>
void softmax_backward_columns(const Slices& slices, const T* __restrict__ grad,
                              const T* __restrict__ y, T* __restrict__ dx) {
    const Index n = slices.n, stride = slices.class_stride;
    T dot[kPiece];
    for_columns(slices, [&](Index first, Index columns) {
        for (Index j = 0; j < columns; ++j) dot[j] = 0;
        for (Index c = 0; c < n; ++c) {
            const Index at = c * stride + first;
            for (Index j = 0; j < columns; ++j) dot[j] += grad[at + j] * y[at + j];
        }
        for (Index c = 0; c < n; ++c) {
            const Index at = c * stride + first;
            for (Index j = 0; j < columns; ++j) dx[at + j] = y[at + j] * (grad[at + j] - dot[j]);
        }
    });
}

template <class T>
void log_softmax_backward_columns(const Slices& slices, const T* __restrict__ grad,
                                  const T* __restrict__ y, T* __restrict__ dx) {
    const Index n = slices.n, stride = slices.class_stride;
    T sum[kPiece], buffer[kPiece];
    for_columns(slices, [&](Index first, Index columns) {
        for (Index j = 0; j < columns; ++j) sum[j] = 0;
        for (Index c = 0; c < n; ++c) {
            for (Index j = 0; j < columns; ++j) sum[j] += grad[c * stride + first + j];
        }
        for_classes(n, columns, [&](Index from, Index classes) {
            for (Index c = 0; c < classes; ++c) {
                const T* row = y + (from + c) * stride + first;
                for (Index j = 0; j < columns; ++j) buffer[c * columns + j] = row[j];
            }
            exp_in_place(buffer, classes * columns);
            for (Index c = 0; c < classes; ++c) {
                const Index at = (from + c) * stride + first;
                const T* p = buffer + c * columns;
                for (Index j = 0; j < columns; ++j) dx[at + j] = grad[at + j] - p[j] * sum[j];
            }
        });
    });
}

template <class T>
void scaled_softmax_columns(const Slices& slices, const T* __restrict__ x,
                            const T* __restrict__ max, const T* __restrict__ log_sum,
                            const T* __restrict__ scale, T* __restrict__ out, bool subtract) {
    const Index n = slices.n, stride = slices.class_stride;
    T buffer[kPiece];
    for_columns(slices, [&](Index first, Index columns) {
        const T *high = max + first, *low = log_sum + first, *factor = scale + first;
        for_classes(n, columns, [&](Index from, Index classes) {
            for (Index c = 0; c < classes; ++c) {
                const T* row = x + (from + c) * stride + first;
                T* shifted = buffer + c * columns;
                for (Index j = 0; j < columns; ++j) shifted[j] = (row[j] - high[j]) - low[j];
            }
            exp_in_place(buffer, classes * columns);
            for (Index c = 0; c < classes; ++c) {
                T* row = out + (from + c) * stride + first;
                const T* p = buffer + c * columns;
                if (subtract) {
                    for (Index j = 0; j < columns; ++j) row[j] = factor[j] * p[j] - row[j];
                } else {
                    for (Index j = 0; j < columns; ++j) row[j] = factor[j] * p[j];
                }
            }
        });
    });
}

// ---- what the classes count in a loss, and weighted sums over them

template <class T>
void shares_rows(const Slices& slices, const T* __restrict__ target, const T* __restrict__ weight,
                 T keep, T spread, const T* factor, T* __restrict__ out) {
    const Index n = slices.n;
    for (Index r = 0; r < slices.count; ++r) {
        const T scale = factor ? factor[r] : T(1);
        T* row = out + r * n;
        if (target) {
            const T* given = target + r * n;
            for (Index c = 0; c < n; ++c) row[c] = scale * (keep * given[c] + spread);
        } else {
            for (Index c = 0; c < n; ++c) row[c] = scale * spread;
        }
        if (!weight) continue;
        for (Index c = 0; c < n; ++c) row[c] *= weight[c];
    }
}

template <class T>
void shares_columns(const Slices& slices, const T* __restrict__ target, const T* weight, T keep,
                    T spread, const T* __restrict__ factor, T* __restrict__ out) {
    for (Index c = 0; c < slices.n; ++c) {
        const T scale = weight ? weight[c] : T(1);
        T* row = out + c * slices.class_stride;
        if (target) {
            const T* given = target + c * slices.class_stride;
            for (Index i = 0; i < slices.count; ++i) row[i] = scale * (keep * given[i] + spread);
        } else {
            for (Index i = 0; i < slices.count; ++i) row[i] = scale * spread;
        }
        if (!factor) continue;
        for (Index i = 0; i < slices.count; ++i) row[i] *= factor[i];
    }
}

template <class T>
void weighted_sums_rows(const Slices& slices, const T* x, const T* max, const T* q, bool shared,
                        T* sum_q, T* sum_qx) {
    const Index n = slices.n;
    for (Index r = 0; r < slices.count; ++r) {
        const T* row = x + r * n;
        const T* share = shared ? q : q + r * n;
        const T high = max[r];
        const SumPair<T> sums = lane_sums<T>(n, [=](auto load, Index i, auto& one, auto& two) {
            one = load(share + i);
            two = one * (load(row + i) - high);
        });
        sum_q[r] = sums.first;
        sum_qx[r] = sums.second;
    }
}

template <class T>
void weighted_sums_columns(const Slices& slices, const T* __restrict__ x,
                           const T* __restrict__ max, const T* __restrict__ q, bool shared,
                           T* __restrict__ sum_q, T* __restrict__ sum_qx) {
    const Index n = slices.n, stride = slices.class_stride;
    for_columns(slices, [&](Index first, Index columns) {
        const T* high = max + first;
        T *total = sum_q + first, *total_x = sum_qx + first;
        for (Index j = 0; j < columns; ++j) total[j] = total_x[j] = 0;
        for (Index c = 0; c < n; ++c) {
            const T* row = x + c * stride + first;
            const T* share = q + c * stride + first;
            if (shared) {
                const T value = q[c];
                for (Index j = 0; j < columns; ++j) total[j] += value;
                for (Index j = 0; j < columns; ++j) total_x[j] += value * (row[j] - high[j]);
            } else {
                for (Index j = 0; j < columns; ++j) total[j] += share[j];
                for (Index j = 0; j < columns; ++j) total_x[j] += share[j] * (row[j] - high[j]);
            }
        }
    });
}

// ---- the table

// rows or columns, whichever the slices are
template <auto rows, auto columns, class... Args>
void either(const Slices& slices, Args... args) {
    slices.class_stride == 1 ? rows(slices, args...) : columns(slices, args...);
}

template <class T>
constexpr SoftmaxLoops<T> loops_of() {
    return {
        .softmax = either<softmax_rows<T>, softmax_columns<T>>,
        .log_softmax = either<log_softmax_rows<T>, log_softmax_columns<T>>,
        .softmax_backward = either<softmax_backward_rows<T>, softmax_backward_columns<T>>,
        .log_softmax_backward =
            either<log_softmax_backward_rows<T>, log_softmax_backward_columns<T>>,
        .statistics = either<statistics_rows<T>, statistics_columns<T>>,
        .scaled_softmax = either<scaled_softmax_rows<T>, scaled_softmax_columns<T>>,
        .shares = either<shares_rows<T>, shares_columns<T>>,
        .weighted_sums = either<weighted_sums_rows<T>, weighted_sums_columns<T>>,
    };
}

constexpr SoftmaxTable kTable{loops_of<float>(), loops_of<double>()};

}  // namespace

const SoftmaxTable& softmax_table() { return kTable; }

}  // namespace rushlight::RUSHLIGHT_ISA
