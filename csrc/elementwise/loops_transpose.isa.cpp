// Transposes of matrices by squares that stay in vector registers, and rows turned round; compiled
// once per instruction set. Elements are bytes to be moved: one loop for each of their sizes.
#include <algorithm>
#include <cstdint>

#include "elementwise/isa_loops.h"
#include "runtime/vectors.h"

namespace rushlight::RUSHLIGHT_ISA {
namespace {

struct Pair {  // of complex numbers
    std::uint64_t first, second;
};

// Squares are as wide as a vector, but not wider than 16: those of 16 rows still fit the registers.
template <class T>
constexpr int kSide = std::min(16, kVectorBytes / int(sizeof(T)));
template <>
constexpr int kSide<Pair> = 4;

template <class T, int side>
[[gnu::always_inline]] inline void transpose_square(T* dst, Index dst_row, const T* src,
                                                    Index src_row) {
    if constexpr (sizeof(T) > 8) {
        for (int r = 0; r < side; ++r)
            for (int c = 0; c < side; ++c) dst[r * dst_row + c] = src[c * src_row + r];
        return;
    } else {
        constexpr int kBytes = side * int(sizeof(T));
        typename Vector<T, kBytes>::type rows[side];
#pragma GCC unroll 16
        for (int i = 0; i < side; ++i) rows[i] = load<T, kBytes>(src + i * src_row);
        transpose<side>(rows);
#pragma GCC unroll 16
        for (int i = 0; i < side; ++i) store<kBytes>(dst + i * dst_row, rows[i]);
    }
}

// The rows of the result are short and lie side by side: pixels of a few channels.
template <class T, int cols>
void interleave_rows(T* __restrict dst, const T* __restrict src, Index src_row, Index rows) {
    for (Index r = 0; r < rows; ++r)
        for (int c = 0; c < cols; ++c) dst[r * cols + c] = src[c * src_row + r];
}

// Squares as large as fit, then smaller ones for the strips that are left at the right and below.
template <class T, int side>
void transpose_squares(T* dst, Index dst_row, const T* src, Index src_row, Index rows,
                       Index cols) {
    if constexpr (side < 4) {
        for (Index r = 0; r < rows; ++r)
            for (Index c = 0; c < cols; ++c) dst[r * dst_row + c] = src[c * src_row + r];
    } else {
        // Along the rows of the source, for as many of them as make whole lines of the result.
        constexpr Index kLine = std::max<Index>(side, 64 / Index(sizeof(T)));
        const Index down = rows / side * side, across = cols / side * side;
        for (Index first = 0; first < across; first += kLine)
            for (Index r = 0; r < down; r += side)
                for (Index c = first; c < std::min(across, first + kLine); c += side)
                    transpose_square<T, side>(dst + r * dst_row + c, dst_row,
                                              src + c * src_row + r, src_row);
        if (across < cols)
            transpose_squares<T, side / 2>(dst + across, dst_row, src + across * src_row, src_row,
                                           rows, cols - across);
        if (down < rows)
            transpose_squares<T, side / 2>(dst + down * dst_row, dst_row, src + down, src_row,
                                           rows - down, across);
    }
}

template <class T>
void transpose_matrix(void* to, Index dst_row, const void* from, Index src_row, Index rows,
                      Index cols) {
    auto* dst = static_cast<T*>(to);
    auto* src = static_cast<const T*>(from);
    if (cols == dst_row && cols == 2) return interleave_rows<T, 2>(dst, src, src_row, rows);
    if (cols == dst_row && cols == 3) return interleave_rows<T, 3>(dst, src, src_row, rows);
    if (cols == dst_row && cols == 4) return interleave_rows<T, 4>(dst, src, src_row, rows);
    transpose_squares<T, kSide<T>>(dst, dst_row, src, src_row, rows, cols);
}

template <class V, int... i>
[[gnu::always_inline]] inline V reversed(V v, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(v, v, (int(sizeof...(i)) - 1 - i)...);
}

template <class T>
void reverse_row(void* to, const void* from, Index n) {
    auto* dst = static_cast<T*>(to);
    auto* src = static_cast<const T*>(from);
    Index i = 0;
    if constexpr (sizeof(T) <= 8) {
        constexpr int W = Vector<T>::lanes;
        for (; i + W <= n; i += W)
            store(dst + i, reversed(load<T>(src + n - i - W), std::make_integer_sequence<int, W>()));
    }
    for (; i < n; ++i) dst[i] = src[n - 1 - i];
}

template <class T>
void add_movements(LoopTable& table, int size) {
    table.transpose[size] = &transpose_matrix<T>;
    table.reverse[size] = &reverse_row<T>;
}

}  // namespace

void add_transpose_loops(LoopTable& table) {
    add_movements<std::uint8_t>(table, 0);
    add_movements<std::uint16_t>(table, 1);
    add_movements<std::uint32_t>(table, 2);
    add_movements<std::uint64_t>(table, 3);
    add_movements<Pair>(table, 4);
}

}  // namespace rushlight::RUSHLIGHT_ISA
