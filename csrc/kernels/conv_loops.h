// The inner loops of convolutions, on raw memory. Compiled once per instruction set (conv.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// c[r][l] = sum over k of x[rows[r] + depth[k]] * b[k][l], added to c if `add`: a product with a
// matrix whose elements are found through two lists of places, never copied. `lanes` is a power of
// two between ConvLoops::narrowest and ConvLoops::widest; b and c have rows of that length. The sum
// over k is made in order, one accumulator per element.
template <class T>
struct IndirectProduct {
    const T* x;
    const std::int64_t* rows;
    std::int64_t row_count;
    const std::int64_t* depth;
    std::int64_t depth_count;
    const T* b;
    std::int64_t lanes;
    T* c;
    bool add;
};

// c[l][r][i] = bias[l] + sum over k of x[r * x_row + depth[k] + i] * w[k][l] for r < rows, i < n and
// at most kFewLanes l: adjacent numbers side by side, for convolutions with few channels. x can be
// read up to kSlack elements beyond the last one. Rows of c are `c_row` apart, its lanes `c_lane`.
inline constexpr std::int64_t kFewLanes = 4;
inline constexpr std::int64_t kSlack = 16;
template <class T>
struct RunProduct {
    const T* x;
    std::int64_t x_row;
    std::int64_t rows;
    std::int64_t n;
    const std::int64_t* depth;
    std::int64_t depth_count;
    const T* w;  // depth_count rows of `lanes`
    const T* bias;  // or null
    std::int64_t lanes;
    T* c;
    std::int64_t c_row;
    std::int64_t c_lane;
};

// sums[k] += sum over runs and i < n of x[starts[run * n] + depth[k] + i] * g[run * n + i]. x can
// be read up to kSlack elements beyond the last one.
template <class T>
struct RunDots {
    const T* x;
    const std::int64_t* starts;
    std::int64_t runs;
    std::int64_t n;
    const T* g;
    const std::int64_t* depth;
    std::int64_t depth_count;
    T* sums;
};

// to[j * to_row + i] = from[i * from_row + j] + bias[j] (if given) for i < rows and j < cols.
template <class T>
struct Turn {
    const T* from;
    std::int64_t from_row;
    std::int64_t rows;
    std::int64_t cols;
    T* to;
    std::int64_t to_row;
    const T* bias;
};

// Rows of `count` numbers, with zeros before and after each, to a place of their own.
template <class T>
struct PadRows {
    const T* from;
    std::int64_t from_row;
    std::int64_t rows;
    std::int64_t before, count, after;
    T* to;
    std::int64_t to_row;
};

// Numbers at even and at odd places, each to a place of their own.
template <class T>
struct SplitRow {
    const T* from;
    std::int64_t count;
    T *even, *odd;
};

template <class T>
struct ConvLoops {
    std::int64_t narrowest;
    std::int64_t widest;
    void (*product)(const IndirectProduct<T>&);
    void (*run_product)(const RunProduct<T>&);
    void (*run_dots)(const RunDots<T>&);
    void (*turn)(const Turn<T>&);
    void (*pad_rows)(const PadRows<T>&);
    void (*split_row)(const SplitRow<T>&);
    double (*sum)(const T*, std::int64_t count);
};

struct ConvTable {
    ConvLoops<float> of_float;
    ConvLoops<double> of_double;
    ConvLoops<std::uint64_t> of_integer;  // modulo 2^64: signed numbers as well

    template <class T>
    const ConvLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else if constexpr (std::is_same_v<T, double>) return of_double;
        else return of_integer;
    }
};

RUSHLIGHT_ISA_TABLE(ConvTable, conv_table)

}  // namespace rushlight
