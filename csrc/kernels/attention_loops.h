// The inner loops of attention on tiles: `rows` rows of `width` numbers, a column for each query of
// a block and a row for each key, so that maxima and sums over keys need no step across lanes.
// Compiled once per instruction set (attention.isa.cpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/isa.h"

namespace rushlight {

// The width of a tile is a multiple of this, or 1 for one query.
inline constexpr std::int64_t kTileLanes = 16;

template <class T>
struct AttentionLoops {
    // to[c * width + r] = from[r * from_row + c] for rows by cols numbers, 0 for rows <= r < width.
    void (*transpose)(std::int64_t rows, std::int64_t cols, const T* from, std::int64_t from_row,
                      T* to, std::int64_t width);
    // x += y, n numbers
    void (*add)(T* x, const T* y, std::int64_t n);
    // to[i] = allowed[i] ? 0 : -inf, n numbers
    void (*additive)(const bool* allowed, T* to, std::int64_t n);
    // x[r * width + c] += numbers[r]
    void (*add_to_rows)(std::int64_t rows, std::int64_t width, T* x, const T* numbers);
    // -inf in the first columns of each row: `count` in the first row, one more in each after it
    void (*hide)(std::int64_t rows, std::int64_t width, std::int64_t count, T* scores);
    // One step of the running softmax (Milakov and Gimelshein 2018): raises max to the largest of
    // the scores, replaces these by exp(score - max), and adds them up in sum. What was summed
    // before shrinks by `factor`; whether any factor is not 1 is returned.
    bool (*accumulate)(std::int64_t rows, std::int64_t width, T* scores, T* max, T* sum, T* factor);
    // The same for the n scores of one query.
    bool (*accumulate_row)(std::int64_t n, T* scores, T* max, T* sum, T* factor);
    // x[r * x_row + c] *= factors[r]
    void (*scale_rows)(std::int64_t rows, std::int64_t cols, T* x, std::int64_t x_row,
                       const T* factors);
    // scores = exp(scores - max) inverse
    void (*probabilities)(std::int64_t rows, std::int64_t width, T* scores, const T* max,
                          const T* inverse);
    // grads = probabilities (grads - delta): the backward of softmax
    void (*score_gradients)(std::int64_t rows, std::int64_t width, const T* probabilities, T* grads,
                            const T* delta);
    // out[r] = sum over c of a[r * a_row + c] b[r * b_row + c]
    void (*row_dots)(std::int64_t rows, std::int64_t cols, const T* a, std::int64_t a_row,
                     const T* b, std::int64_t b_row, T* out);
};

struct AttentionTable {
    AttentionLoops<float> of_float;
    AttentionLoops<double> of_double;

    template <class T>
    const AttentionLoops<T>& get() const {
        if constexpr (std::is_same_v<T, float>) return of_float;
        else return of_double;
    }
};

RUSHLIGHT_ISA_TABLE(AttentionTable, attention_table)

}  // namespace rushlight
