// The inner loops of discrete Fourier transforms, on raw memory. Compiled once per instruction set
// (fft.isa.cpp). Complex numbers are pairs (real, imaginary).
//
// A vector holds one number each of `width` transforms, its lanes; so every butterfly, of any
// radix, is a few vector operations, and needs no shuffling.
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// A transform of one length. Radices with butterflies of their own are 2, 3, 4, 5, 7, 8; other prime
// factors cost their square, which up to here is less than a convolution.
inline constexpr int kLargestFftRadix = 97;

template <class T>
struct FftPass {
    std::int64_t radix;
    std::int64_t inner;  // the length of the transforms that are left
    std::int64_t outer;  // how many of these there are
    const T* twiddles;   // (inner, radix - 1) factors
    const T* roots;      // exp(2 pi i j / radix) for j < radix
};
template <class T>
struct FftLanes {
    std::int64_t n;
    const FftPass<T>* passes;
    std::int64_t count;
};

// One transform of length n = rows * columns as `columns` transforms over the rows, factors, and
// `rows` transforms over the columns (Bailey 1990).
template <class T>
struct FftSplit {
    FftLanes<T> rows, columns;
    // exp(-2 pi i r c / n) of row r and column c, with block = c / width, is
    //     near[r, block, c % width]                 (far is null)
    //     near[r, c % width] far[block, r]
    // near: `width` real parts and as many imaginary ones; far: pairs
    const T* near;
    const T* far;
};

// Where a transform reads and writes.
template <class T>
struct FftPlaces {
    const T* in;
    T* out;
    std::int64_t in_stride;   // in complex numbers
    std::int64_t out_stride;
    std::int64_t lanes;       // how many transforms, at most the width
    bool inverse;
    T scale;
};

template <class T>
struct FftLoops {
    int width;  // lanes of a vector
    // Adjacent transforms, their elements `stride` apart; lane l begins at in + 2 l.
    // Scratch: 4 n width.
    void (*adjacent)(const FftLanes<T>& plan, const FftPlaces<T>& places, T* scratch);
    // Transforms of contiguous rows, `stride` apart. Scratch: 4 n width.
    void (*rows)(const FftLanes<T>& plan, const FftPlaces<T>& places, T* scratch);
    // The halves of a split transform: blocks [first, last) of width columns, from the input to
    // `between`, and blocks of width rows, from there to the output. `between` has
    // 2 * roundup(rows, width) * roundup(columns, width) elements. Scratch: 4 width max(rows,
    // columns).
    void (*split_columns)(const FftSplit<T>& plan, const T* in, T* between, bool inverse,
                          std::int64_t first, std::int64_t last, T* scratch);
    void (*split_rows)(const FftSplit<T>& plan, const T* between, T* out, bool inverse, T scale,
                       std::int64_t first, std::int64_t last, T* scratch);
    // out[j] = scale in[j] factor[j], in[j] and out[j] conjugated if so wished
    void (*multiply)(const T* in, const T* factor, T* out, std::int64_t n, bool conjugate_in,
                     bool conjugate_out, T scale);
    // From the transform of n / 2 pairs of real numbers to the n / 2 + 1 frequencies of the n
    // numbers (out may be in), and back; `roots` are exp(-2 pi i k / n) for
    // k <= n / 4.
    void (*unpack)(const T* in, const T* roots, T* out, std::int64_t half, T scale);
    void (*pack)(const T* in, const T* roots, T* out, std::int64_t half);
    // Of n frequencies of a real signal the second half from the first.
    void (*mirror)(T* x, std::int64_t n);
};

struct FftTable {
    FftLoops<float> of_float;
    FftLoops<double> of_double;

    template <class T>
    const FftLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(FftTable, fft_table)

}  // namespace rushlight
