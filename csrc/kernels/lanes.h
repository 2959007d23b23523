// Sums and maxima over a row of numbers, in several vectors side by side. The order of the
// additions follows from the length alone. For *.isa.cpp files: everything is in an unnamed
// namespace on purpose.
//
// The terms are given as a function value(load, i), which loads from memory with load(pointer + i):
// a vector of the numbers from there on, or a single one.
//
//     lane_sum<T>(n, [=](auto load, Index i) { return load(a + i) * load(b + i); })
#pragma once

#include <cstdint>
#include <utility>

#include "runtime/vectors.h"

namespace rushlight {
namespace {

template <class T>
using VectorOf = typename Vector<T>::type;
template <class T>
constexpr int kWidth = kVectorBytes / int(sizeof(T));

// How many vectors are accumulated side by side, to hide the latency of an addition.
constexpr int kVectors = kVectorBytes == 64 ? 2 : 4;

// After this many elements the vectors are emptied into a double, to keep long float sums exact.
constexpr std::int64_t kLaneRun = 2048;

template <class V>
struct Load {
    template <class T>
    [[gnu::always_inline]] V operator()(const T* from) const {
        V value;
        __builtin_memcpy(&value, from, sizeof value);
        return value;
    }
};

template <int distance, class Vector, int... i>
[[gnu::always_inline]] inline Vector rotated(Vector v, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(v, v, ((i + distance) % int(sizeof...(i)))...);
}

// All elements of v combined: halves with halves. Compilers take a loop for this apart.
template <class T, int distance = kWidth<T> / 2, class Vector, class Combine>
[[gnu::always_inline]] inline T fold(Vector v, Combine combine) {
    if constexpr (distance == 0) {
        return v[0];
    } else {
        const Vector other = rotated<distance>(v, std::make_integer_sequence<int, kWidth<T>>());
        return fold<T, distance / 2>(combine(v, other), combine);
    }
}

template <class T, class Vector>
[[gnu::always_inline]] inline T add_lanes(Vector* sums) {
    for (int half = kVectors / 2; half > 0; half /= 2) {
        for (int k = 0; k < half; ++k) sums[k] += sums[k + half];
    }
    return fold<T>(sums[0], [](auto a, auto b) { return a + b; });
}

// v with zeros before its last `count` elements.
template <class T, class Vector, int... i>
[[gnu::always_inline]] inline Vector keep_last(Vector v, std::int64_t count,
                                               std::integer_sequence<int, i...>) {
    const T from = T(kWidth<T> - count);
    const Vector place = {T(i)...};
    return place >= from ? v : Vector{};
}

// value(0) + ... + value(n - 1)
template <class T, class Value>
[[gnu::always_inline]] inline T lane_sum(std::int64_t n, Value value) {
    using Vector = VectorOf<T>;
    constexpr int width = kWidth<T>;
    if (n < width) {
        T total = 0;
        for (std::int64_t i = 0; i < n; ++i) total += value(Load<T>(), i);
        return total;
    }
    const Load<Vector> load;
    double total = 0;
    for (std::int64_t i = 0; i < n;) {
        Vector sums[kVectors] = {};
        const std::int64_t stop = n - i < kLaneRun ? n : i + kLaneRun;
        for (; i + kVectors * width <= stop; i += kVectors * width) {
            for (int k = 0; k < kVectors; ++k) sums[k] += value(load, i + k * width);
        }
        for (; i + width <= stop; i += width) sums[0] += value(load, i);
        if (i < stop) {  // the last vector overlaps the one before
            const Vector last = value(load, stop - width);
            sums[1] += keep_last<T>(last, stop - i, std::make_integer_sequence<int, width>());
            i = stop;
        }
        total += double(add_lanes<T>(sums));
    }
    return T(total);
}

// Two sums in one pass; value(load, i, first, second) sets the i-th terms.
template <class T>
struct SumPair {
    T first;
    T second;
};
template <class T, class Value>
[[gnu::always_inline]] inline SumPair<T> lane_sums(std::int64_t n, Value value) {
    using Vector = VectorOf<T>;
    constexpr int width = kWidth<T>;
    if (n < width) {
        SumPair<T> total{0, 0};
        for (std::int64_t i = 0; i < n; ++i) {
            T first, second;
            value(Load<T>(), i, first, second);
            total.first += first;
            total.second += second;
        }
        return total;
    }
    const Load<Vector> load;
    double first_total = 0, second_total = 0;
    for (std::int64_t i = 0; i < n;) {
        Vector firsts[kVectors] = {}, seconds[kVectors] = {}, first, second;
        const std::int64_t stop = n - i < kLaneRun ? n : i + kLaneRun;
        for (; i + kVectors * width <= stop; i += kVectors * width) {
            for (int k = 0; k < kVectors; ++k) {
                value(load, i + k * width, first, second);
                firsts[k] += first;
                seconds[k] += second;
            }
        }
        for (; i + width <= stop; i += width) {
            value(load, i, first, second);
            firsts[0] += first;
            seconds[0] += second;
        }
        if (i < stop) {
            const auto places = std::make_integer_sequence<int, width>();
            value(load, stop - width, first, second);
            firsts[1] += keep_last<T>(first, stop - i, places);
            seconds[1] += keep_last<T>(second, stop - i, places);
            i = stop;
        }
        first_total += double(add_lanes<T>(firsts));
        second_total += double(add_lanes<T>(seconds));
    }
    return {T(first_total), T(second_total)};
}

// The largest of x[0..n), -inf for none. NaNs are passed over: they come back through the
// exponentials that the maximum is subtracted for.
template <class T>
[[gnu::always_inline]] inline T lane_max(const T* x, std::int64_t n) {
    using Vector = VectorOf<T>;
    constexpr int width = kWidth<T>;
    const auto larger = [](auto a, auto b) { return a > b ? a : b; };
    T best = -T(__builtin_inf());
    if (n < width) {
        for (std::int64_t i = 0; i < n; ++i) best = larger(x[i], best);
        return best;
    }
    const Load<Vector> load;
    Vector maxima[kVectors];
    for (Vector& vector : maxima) vector = Vector{} + best;
    std::int64_t i = 0;
    for (; i + kVectors * width <= n; i += kVectors * width) {
        for (int k = 0; k < kVectors; ++k) maxima[k] = larger(load(x + i + k * width), maxima[k]);
    }
    for (; i + width <= n; i += width) maxima[0] = larger(load(x + i), maxima[0]);
    maxima[1] = larger(load(x + n - width), maxima[1]);  // overlaps, which a maximum does not mind
    for (int half = kVectors / 2; half > 0; half /= 2) {
        for (int k = 0; k < half; ++k) maxima[k] = larger(maxima[k], maxima[k + half]);
    }
    return fold<T>(maxima[0], larger);
}

}  // namespace
}  // namespace rushlight
