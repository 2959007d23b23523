// Shapes, dtypes and errors of matrix products; kernels/gemm.cpp does the arithmetic.
#include "kernels/matmul.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <nanobind/stl/array.h>

#include "bind/casters.h"
#include "kernels/dot_loops.h"
#include "kernels/gemm.h"
#include "runtime/blas.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

// What PyTorch calls a dtype in the errors of its products.
std::string_view c_name(DType dtype) {
    static constexpr std::array<std::string_view, kDTypes> names{
        "bool",  "unsigned char", "signed char", "short",           "int",
        "long",  "unsigned short", "unsigned int", "unsigned long", "c10::Half",
        "c10::BFloat16", "float", "double", "c10::complex<float>", "c10::complex<double>"};
    return names[std::size_t(dtype)];
}

void check_dtypes(std::string_view op, const Array& a, const Array& b) {
    check(a.dtype() == b.dtype(), op, ": expected m1 and m2 to have the same dtype, but got: ",
          c_name(a.dtype()), " != ", c_name(b.dtype()),
          ". Convert one of them, as in mat1.to(mat2.dtype)");
    check_as(ErrorKind::NotImplemented, a.dtype() != DType::Bool, op,
             ": not implemented for 'Bool'; convert the operands to an integer or floating dtype");
}

void check_inner(std::string_view op, Index m, Index k, Index k2, Index n) {
    check(k == k2, op, ": mat1 and mat2 shapes cannot be multiplied (", m, "x", k, " and ", k2,
          "x", n, ")");
}

Index rows_of(const Array& x) { return x.size(x.ndim() - 2); }
Index cols_of(const Array& x) { return x.size(x.ndim() - 1); }
Index row_step(const Array& x) { return x.stride(x.ndim() - 2); }
Index col_step(const Array& x) { return x.stride(x.ndim() - 1); }

Dims batch_of(const Array& x) {
    return Dims(std::span<const Index>(x.shape().begin(), std::size_t(x.ndim() - 2)));
}

Array with_geometry(const Array& x, const Dims& shape, const Dims& strides) {
    return x.reinterpret(x.offset(), shape, strides, x.dtype());
}

// A copy that BLAS can read. Axes that only repeat the same memory still do so in the copy.
Array copy_matrices(const Array& x) {
    Dims shape = x.shape();
    for (int axis = 0; axis < x.ndim() - 2; ++axis) {
        if (x.stride(axis) == 0) shape[axis] = 1;
    }
    const Array copied = clone(with_geometry(x, shape, x.strides()));
    Dims strides = copied.strides();
    for (int axis = 0; axis < x.ndim() - 2; ++axis) {
        if (x.stride(axis) == 0) strides[axis] = 0;
    }
    return with_geometry(copied, x.shape(), strides);
}

// The matrices in the last two axes as the engine can read them: mostly `x` itself.
Array readable(const Array& x, bool any_strides) {
    if (any_strides || strides_fit_blas(rows_of(x), cols_of(x), row_step(x), col_step(x))) return x;
    return copy_matrices(x);
}

MatrixView matrix_view(const Array& x) { return {x.address(), row_step(x), col_step(x)}; }

// The steps of x along the axes of a batch that it broadcasts to.
Dims batch_steps(const Array& x, const Dims& batch) {
    Dims steps(batch.size());
    const int missing = batch.size() - (x.ndim() - 2);
    for (int axis = missing; axis < batch.size(); ++axis) {
        steps[axis] = x.size(axis - missing) == 1 ? 0 : x.stride(axis - missing);
    }
    return steps;
}

// What is added to a product: beta * array, where the array broadcasts to the result.
struct Start {
    Array array;
    Scalar alpha{1.0}, beta{1.0};
};

// Fills in what a product starts from; returns what keeps its memory.
Array begin_with(const Start& start, const Dims& shape, Product& p) {
    const Array& bias = start.array;
    p.alpha = start.alpha;
    p.beta = start.beta;
    if (shape.size() == 2 && bias.ndim() == 1 && bias.size(0) == p.n) {  // as most of them are
        p.start = {bias.address(), 0, bias.stride(0)};
        return bias;
    }
    Array expanded = bias.expand(shape);
    p.start = matrix_view(expanded);
    if (!p.batch.empty()) p.start_steps = batch_steps(expanded, p.batch);
    return expanded;
}

// Half types are summed up in float32 and rounded once. What the engine cannot multiply as it is
// becomes float32 first.
Array factor(const Array& x) {
    const bool narrow = x.dtype() == DType::F16 || (x.dtype() == DType::BF16 && !multiplies_bf16());
    return narrow ? cast(x, DType::F32) : x;
}

DType sum_type(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

// The product in its sum type; `start` has that type, too.
Array sums_of_products(const Array& a, const Array& b, const Dims& batch, const Start* start) {
    Product p;
    p.dtype = a.dtype();
    p.m = rows_of(a);
    p.k = cols_of(a);
    p.n = cols_of(b);
    Dims shape = batch;
    shape.push_back(p.m);
    shape.push_back(p.n);
    Array result = Array::empty(shape, sum_type(p.dtype));
    if (result.nothing_to_compute()) return result;

    const bool any_strides = p.k == 0 || has_own_loops(p.dtype, p.m, p.n, p.k);
    const Array left = readable(a, any_strides), right = readable(b, any_strides);
    p.a = matrix_view(left);
    p.b = matrix_view(right);
    p.c = result.address();
    if (!batch.empty()) {
        p.batch = batch;
        p.a_steps = batch_steps(left, batch);
        p.b_steps = batch_steps(right, batch);
    }
    Array kept;
    if (start) kept = begin_with(*start, shape, p);
    launch_product(p, {&result, &left, &right, &kept});
    return result;
}

// a (..., m, k) @ b (..., k, n), with batches that broadcast to `batch`; sizes are checked.
Array product(const Array& a, const Array& b, const Dims& batch, const Start* start = nullptr) {
    if (!is_half(a.dtype())) return sums_of_products(a, b, batch, start);
    Start wide;
    if (start) wide = {cast(start->array, DType::F32), start->alpha, start->beta};
    return cast(sums_of_products(factor(a), factor(b), batch, start ? &wide : nullptr), a.dtype());
}

// How many vectors the last axis of x holds.
Index vectors_in(const Array& x) {
    Index count = 1;
    for (int axis = 0; axis < x.ndim() - 1; ++axis) count *= x.size(axis);
    return count;
}

// x (..., m, k) as (rows, k): its batch folded into the rows; copies where the strides demand it.
Array fold_rows(const Array& x) {
    if (x.ndim() == 2) return x;
    Dims shape{vectors_in(x), cols_of(x)};
    if (auto strides = x.view_strides(shape)) {
        return with_geometry(x, shape, *strides);
    }
    return clone(x).view(shape);
}

Dims leading(const Array& x, int dropped) {
    return Dims(std::span<const Index>(x.shape().begin(), std::size_t(x.ndim() - dropped)));
}

Dims followed_by(Dims dims, Index last) {
    dims.push_back(last);
    return dims;
}

// x (..., k) @ b (k, n), whose batch becomes rows.
Array folded_product(const Array& x, const Array& b, const Start* start = nullptr) {
    if (x.ndim() == 2) return product(x, b, {}, start);
    return product(fold_rows(x), b, {}, start).view(followed_by(leading(x, 1), cols_of(b)));
}

// linear() of a checked matrix, in the sum type, which the bias has, too.
Array linear_sums(const Array& x, const Array& weight, const std::optional<Array>& bias) {
    Product p;
    p.dtype = x.dtype();
    p.m = vectors_in(x);
    p.k = weight.size(1);
    p.n = weight.size(0);
    Dims shape = x.shape();
    shape.back() = p.n;
    Array result = Array::empty(shape, sum_type(p.dtype));
    if (result.nothing_to_compute()) return result;

    const bool any_strides = p.k == 0 || has_own_loops(p.dtype, p.m, p.n, p.k);
    const Array left = readable(x.ndim() == 1 ? x.unsqueeze(0) : fold_rows(x), any_strides);
    const Array right = readable(weight, any_strides);
    p.a = matrix_view(left);
    p.b = {right.address(), col_step(right), row_step(right)};  // transposed
    p.c = result.address();
    Array kept;
    if (bias) {
        // A bias with rows of its own broadcasts to the whole result.
        const bool rows = bias->ndim() > 1;
        const Array start = rows ? bias->expand(shape).reshape({p.m, p.n}) : *bias;
        kept = begin_with({start}, {p.m, p.n}, p);
    }
    launch_product(p, {&result, &left, &right, &kept});
    return result;
}

Array without_axis(const Array& x, int axis) {
    Dims shape = x.shape(), strides = x.strides();
    shape.erase(axis);
    strides.erase(axis);
    return with_geometry(x, std::move(shape), std::move(strides));
}

Array conjugate(const Array& x) {
    if (!is_complex(x.dtype())) return x;
    const Array result = clone(x);
    const auto run = [&]<class T>() {
        T* values = result.data<T>();
        for (Index i = 0; i < result.numel(); ++i) values[i] = std::conj(values[i]);
    };
    if (x.dtype() == DType::C64) {
        run.operator()<Complex64>();
    } else {
        run.operator()<Complex128>();
    }
    return result;
}

// The gradients of linear() of a checked matrix, in the sum type.
std::tuple<Array, Array, Array> linear_gradients(const Array& grad, const Array& x,
                                                 const Array& weight,
                                                 std::array<bool, 3> needs) {
    const auto [need_x, need_weight, need_bias] = needs;
    const DType dtype = grad.dtype();
    const Index n = weight.size(0), k = weight.size(1);
    const Array g2 = grad.ndim() == 1 ? grad.unsqueeze(0) : fold_rows(grad);
    const Index rows = g2.size(0);
    const bool readable_rows = col_step(g2) == 1 && row_step(g2) >= n;
    const Array g = readable_rows || rows == 0 || n == 0 ? g2 : clone(g2);
    std::array<Product, 2> products;
    std::array<Array, 2> kept;  // memory of the operands
    Touches touches{&g};
    int count = 0;
    Array dx, dw, db, summed;
    if (need_x) {
        dx = Array::empty(x.shape(), sum_type(dtype));
        if (!dx.nothing_to_compute()) {
            Product& p = products[std::size_t(count++)];
            p.dtype = dtype, p.m = rows, p.n = k, p.k = n;
            kept[0] = readable(conjugate(weight), has_own_loops(dtype, rows, k, n) || n == 0);
            p.a = matrix_view(g);
            p.b = matrix_view(kept[0]);
            p.c = dx.address();
            touches.add(kept[0]);
            touches.add(dx);
        }
    }
    if (need_weight) {
        dw = Array::empty(weight.shape(), sum_type(dtype));
        if (!dw.nothing_to_compute()) {
            Product& p = products[std::size_t(count++)];
            p.dtype = dtype, p.m = n, p.n = k, p.k = rows;
            const Array x2 = conjugate(x.ndim() == 1 ? x.unsqueeze(0) : fold_rows(x));
            kept[1] = readable(x2, has_own_loops(dtype, n, k, rows) || rows == 0);
            p.a = {g.address(), 1, row_step(g)};
            p.b = matrix_view(kept[1]);
            p.c = dw.address();
            touches.add(kept[1]);
            touches.add(dw);
        }
    }
    ColumnSums sums;
    if (need_bias) {
        const DType type = sum_type(dtype);
        db = Array::empty({n}, type);
        const int parts = is_complex(dtype) ? 2 : 1;  // a complex sum is two real ones
        summed = cast(g, type);
        sums = {real_of(type), rows, n * parts, summed.address(), row_step(summed) * parts,
                db.address()};
        touches.add(summed);
        touches.add(db);
    }
    const bool adds_up = need_bias && n > 0;
    if (count == 0 && !adds_up) return {dx, dw, db};
    launch_together(std::span(products.data(), std::size_t(count)), adds_up ? &sums : nullptr,
                    touches);
    return {dx, dw, db};
}

// Long vectors are cut, so that threads can share them and no sum of float32 gets too long.
template <class T>
Array vector_product(const Array& a, const Array& b) {
    constexpr Index kPiece = 8192;
    const Array left = contiguous(a), right = contiguous(b);
    const Index n = left.numel(), pieces = (n + kPiece - 1) / kPiece;
    const Array result = Array::zeros({}, a.dtype());
    if (result.is_meta()) return result;
    const DotLoop<T> loop = dot_table().get<T>();
    const T *x = left.data<T>(), *y = right.data<T>();
    if (pieces <= 1) {
        *result.data<T>() = loop(n, x, y);
        return result;
    }
    std::vector<T> sums(static_cast<std::size_t>(pieces));
    parallel_for(pieces, kPiece * 0.2e-9, [&](Index i) {
        const Index at = i * kPiece;
        sums[std::size_t(i)] = loop(std::min(kPiece, n - at), x + at, y + at);
    });
    double sum = 0;
    for (T piece : sums) sum += double(piece);
    *result.data<T>() = T(sum);
    return result;
}

void check_rank(std::string_view op, std::string_view name, const Array& x, int rank) {
    check(x.ndim() == rank, op, ": ", name, " must be ",
          rank == 1 ? "a vector" : rank == 2 ? "a matrix" : "a 3D tensor", ", got ", x.ndim(),
          "-D tensor of shape ", x.shape());
}

void check_batches(std::string_view op, const Array& a, const Array& b) {
    check(b.size(0) == a.size(0) && b.size(1) == a.size(2), op,
          ": Expected size for first two dimensions of batch2 tensor to be: [", a.size(0), ", ",
          a.size(2), "] but got: [", b.size(0), ", ", b.size(1), "].");
}

void check_bias_dtype(std::string_view op, const Array& bias, const Array& b) {
    check(bias.dtype() == b.dtype(), op, ": self and mat2 must have the same dtype, but got ",
          name_of(bias.dtype()), " and ", name_of(b.dtype()));
}

}  // namespace

Array matmul(const Array& a, const Array& b) {
    check(a.ndim() > 0 && b.ndim() > 0,
          "matmul: both arguments to matmul need to be at least 1D, but they are ", a.ndim(),
          "D and ", b.ndim(), "D");
    check_dtypes("matmul", a, b);
    if (a.ndim() == 2 && b.ndim() == 2) {
        check_inner("matmul", a.size(0), a.size(1), b.size(0), b.size(1));
        return product(a, b, {});
    }
    if (b.ndim() == 1) {
        if (a.ndim() == 1) return dot(a, b);
        const Index k = a.shape().back();
        check(k == b.size(0), "matmul: size mismatch, got input (", vectors_in(a), "), mat (",
              vectors_in(a), "x", k, "), vec (", b.size(0), ")");
        return folded_product(a, b.unsqueeze(1)).view(leading(a, 1));
    }
    const Array left = a.ndim() == 1 ? a.unsqueeze(0) : a;
    const Index m = rows_of(left), k = cols_of(left), n = cols_of(b);
    if (b.ndim() == 2) {
        const Index rows = vectors_in(left);
        check_inner("matmul", rows, k, b.size(0), n);
        // Folding makes one large product of many, but may have to copy.
        const bool fold = m < 64 || left.view_strides({rows, k}).has_value();
        if (a.ndim() == 1) return product(left, b, {}).view({n});
        if (fold) return folded_product(left, b);
    }
    const Dims batch = broadcast_shapes("matmul", batch_of(left), batch_of(b));
    check(k == rows_of(b),
          "matmul: Expected size for first two dimensions of batch2 tensor to be: [",
          batch.product(), ", ", k, "] but got: [", batch.product(), ", ", rows_of(b),
          "]. (shapes ", a.shape(), " and ", b.shape(), ")");
    Array result;
    if (n == 1 && left.numel() == m * k && b.numel() > k) {
        // One matrix times many columns: as many rows times the transposed matrix.
        const Array columns = without_axis(b, b.ndim() - 1);
        const Array turned = left.view({m, k}).transpose(0, 1);
        result = folded_product(columns, turned).view(followed_by(followed_by(batch, m), 1));
    } else {
        result = product(left, b, batch);
    }
    return a.ndim() == 1 ? without_axis(result, result.ndim() - 2) : result;
}

Array mm(const Array& a, const Array& b) {
    check_rank("mm", "self", a, 2);
    check_rank("mm", "mat2", b, 2);
    check_dtypes("mm", a, b);
    check_inner("mm", a.size(0), a.size(1), b.size(0), b.size(1));
    return product(a, b, {});
}

Array bmm(const Array& a, const Array& b) {
    check_rank("bmm", "batch1", a, 3);
    check_rank("bmm", "batch2", b, 3);
    check_dtypes("bmm", a, b);
    check_batches("bmm", a, b);
    return product(a, b, {a.size(0)});
}

Array mv(const Array& a, const Array& v) {
    check(a.ndim() == 2 && v.ndim() == 1, "mv: vector + matrix @ vector expected, got ", v.ndim(),
          ", ", a.ndim(), ", ", v.ndim());
    return matmul(a, v);
}

Array dot(const Array& a, const Array& b) {
    check(a.ndim() == 1 && b.ndim() == 1, "dot: 1D tensors expected, but got ", a.ndim(), "D and ",
          b.ndim(), "D tensors");
    check(a.dtype() == b.dtype(), "dot: expected both vectors to have same dtype, but found ",
          name_of(a.dtype()), " and ", name_of(b.dtype()));
    check_dtypes("dot", a, b);
    check(a.size(0) == b.size(0), "dot: inconsistent tensor size, expected tensor [", a.size(0),
          "] and src [", b.size(0), "] to have the same number of elements, but got ", a.size(0),
          " and ", b.size(0), " elements respectively");
    if (a.dtype() == DType::F32) return vector_product<float>(a, b);
    if (a.dtype() == DType::F64) return vector_product<double>(a, b);
    return product(a.unsqueeze(0), b.unsqueeze(1), {}).view({});
}

Array addmm(const Array& bias, const Array& a, const Array& b, const Scalar& beta,
            const Scalar& alpha) {
    check_rank("addmm", "mat1", a, 2);
    check_rank("addmm", "mat2", b, 2);
    check_dtypes("addmm", a, b);
    check_bias_dtype("addmm", bias, b);
    check_inner("addmm", a.size(0), a.size(1), b.size(0), b.size(1));
    const Start start{bias.expand({a.size(0), b.size(1)}), alpha, beta};
    return product(a, b, {}, &start);
}

Array addmv(const Array& bias, const Array& a, const Array& v, const Scalar& beta,
            const Scalar& alpha) {
    check(a.ndim() == 2 && v.ndim() == 1, "addmv: vector + matrix @ vector expected, got ",
          bias.ndim(), ", ", a.ndim(), ", ", v.ndim());
    check_dtypes("addmv", a, v);
    check_bias_dtype("addmv", bias, v);
    check(a.size(1) == v.size(0), "addmv: size mismatch, got input (", a.size(0), "), mat (",
          a.size(0), "x", a.size(1), "), vec (", v.size(0), ")");
    const Start start{bias.expand({a.size(0)}).unsqueeze(1), alpha, beta};
    return product(a, v.unsqueeze(1), {}, &start).view({a.size(0)});
}

Array baddbmm(const Array& bias, const Array& a, const Array& b, const Scalar& beta,
              const Scalar& alpha) {
    check_rank("baddbmm", "batch1", a, 3);
    check_rank("baddbmm", "batch2", b, 3);
    check_dtypes("baddbmm", a, b);
    check_bias_dtype("baddbmm", bias, b);
    check_batches("baddbmm", a, b);
    const Start start{bias.expand({a.size(0), a.size(1), b.size(2)}), alpha, beta};
    return product(a, b, {a.size(0)}, &start);
}

Array linear(const Array& x, const Array& weight, const std::optional<Array>& bias) {
    check(x.ndim() > 0 && weight.ndim() > 0,
          "linear: both arguments to linear need to be at least 1D, but they are ", x.ndim(),
          "D and ", weight.ndim(), "D");
    check(weight.ndim() <= 2, "linear: weight must be (out_features, in_features), got shape ",
          weight.shape());
    check_dtypes("linear", x, weight);
    if (weight.ndim() == 1) {
        check(!bias, "linear: with a bias the weight must be a matrix, got shape ", weight.shape());
        return matmul(x, weight);
    }
    if (bias) check_bias_dtype("linear", *bias, weight);
    check_inner("linear", vectors_in(x), x.shape().back(), weight.size(1), weight.size(0));
    if (!is_half(x.dtype())) return linear_sums(x, weight, bias);
    const auto wide = bias ? std::optional(cast(*bias, DType::F32)) : std::nullopt;
    return cast(linear_sums(factor(x), factor(weight), wide), x.dtype());
}

std::tuple<Array, Array, Array> linear_backward(const Array& grad, const Array& x,
                                                const Array& weight, std::array<bool, 3> needs) {
    if (weight.ndim() == 1) {
        auto [dx, dw, db] =
            linear_backward(grad.unsqueeze(grad.ndim()), x, weight.unsqueeze(0), needs);
        if (needs[1]) dw = dw.view({weight.size(0)});
        return {dx, dw, db};
    }
    const DType dtype = grad.dtype();
    check_as(ErrorKind::Type, is_floating(dtype) || is_complex(dtype),
             "linear_backward: expected a floating or complex dtype, got ", name_of(dtype));
    check_dtypes("linear_backward", grad, x);
    check_dtypes("linear_backward", grad, weight);
    const Index n = weight.size(0), k = weight.size(1);
    check(grad.ndim() == x.ndim() && grad.ndim() > 0 && grad.shape().back() == n &&
              x.shape().back() == k && leading(grad, 1) == leading(x, 1),
          "linear_backward: gradient ", grad.shape(), " does not fit input ", x.shape(),
          " and weight ", weight.shape());
    if (!is_half(dtype)) return linear_gradients(grad, x, weight, needs);
    const auto [dx, dw, db] = linear_gradients(factor(grad), factor(x), factor(weight), needs);
    const auto rounded = [&](const Array& wide) { return wide ? cast(wide, dtype) : wide; };
    return {rounded(dx), rounded(dw), rounded(db)};
}

void bind_matmul(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("matmul", &matmul, "input"_a, "other"_a);
    m.def("mm", &mm, "input"_a, "mat2"_a);
    m.def("bmm", &bmm, "input"_a, "mat2"_a);
    m.def("mv", &mv, "input"_a, "vec"_a);
    m.def("dot", &dot, "input"_a, "tensor"_a);
    m.def("addmm", &addmm, "input"_a, "mat1"_a, "mat2"_a, "beta"_a, "alpha"_a);
    m.def("addmv", &addmv, "input"_a, "mat"_a, "vec"_a, "beta"_a, "alpha"_a);
    m.def("baddbmm", &baddbmm, "input"_a, "batch1"_a, "batch2"_a, "beta"_a, "alpha"_a);
    m.def("linear", &linear, "input"_a, "weight"_a, "bias"_a.none());
    m.def("linear_backward", &linear_backward, "grad"_a, "input"_a, "weight"_a, "needs"_a);
    m.def("set_blas_path", &set_blas_path, "path"_a);
    m.def("blas_info", [] {
        const BlasInfo info = blas_info();
        return std::make_tuple(info.path, info.config, info.core);
    });
}

}  // namespace rushlight
