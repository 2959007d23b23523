// The engine behind matmul: products of matrices given by raw memory, cut into tiles of the output
// by their shape alone, and run over the thread pool.
#pragma once

#include <array>
#include <span>

#include "array/launch.h"

namespace rushlight {

// A matrix in memory; strides in elements.
struct MatrixView {
    const std::byte* data = nullptr;
    Index row = 0;
    Index col = 0;
};

// C = beta * start + alpha * A B for every matrix of a batch. A is (m, k), B (k, n), C (m, n)
// row-major with rows n apart, and the matrices of a batch follow each other. Without `start`, or
// with beta == 0, the old values of C and the values of `start` do not matter. Where A and B are
// bfloat16, C and `start` are float32.
struct Product {
    DType dtype = DType::F32;
    Index m = 0, n = 0, k = 0;
    MatrixView a, b, start;
    std::byte* c = nullptr;
    Scalar alpha{1.0}, beta{1.0};
    // The batch, and how far apart its matrices are along each of its axes.
    Dims batch, a_steps, b_steps, start_steps;
};

// Whether products of these sizes are run by our own loops, which take matrices of any strides;
// BLAS needs what strides_fit_blas() says.
bool has_own_loops(DType dtype, Index m, Index n, Index k) noexcept;
bool strides_fit_blas(Index rows, Index cols, Index row, Index col) noexcept;
// Whether the machine has an instruction for products of bfloat16.
bool multiplies_bf16() noexcept;

void run_product(const Product& product);
// The same, perhaps behind the caller (array/launch.h): the product's memory is that of the arrays it
// touches, and known by Array::address().
void launch_product(const Product& product, const Touches& touches);

// Sums over the rows of a row-major matrix with contiguous rows, float32 or float64.
struct ColumnSums {
    DType dtype = DType::F32;
    Index rows = 0, cols = 0;
    const std::byte* x = nullptr;
    Index x_row = 0;
    std::byte* sums = nullptr;
};

// Two products and the column sums beside them, each of them optional, as one piece of parallel
// work.
void run_together(std::span<const Product> products, const ColumnSums* sums);
void launch_together(std::span<const Product> products, const ColumnSums* sums, Touches touches);

}  // namespace rushlight
