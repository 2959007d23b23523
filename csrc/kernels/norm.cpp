// Layer norm and RMS norm over the last axes, forward and backward.
#include <limits>

#include "bind/casters.h"
#include "kernels/norm_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

using OptionalArray = std::optional<Array>;

constexpr double kSecondsPerElement = 0.5e-9;
constexpr Index kElementsPerTask = 16384;
constexpr Index kMaxChunks = 64;  // partial sums of the weight's gradient

DType compute_dtype(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

// The input seen as rows of the normalized axes.
struct Geometry {
    Index rows = 1, n = 1;
    Dims stat_shape;  // of mean and rstd: ones for the normalized axes
};

Geometry geometry_of(std::string_view what, const Array& x, const Dims& normalized) {
    check(!normalized.empty(), what, ": expected normalized_shape to be at least 1-dimensional, "
          "got ", normalized);
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()), what, ": not implemented for ",
             name_of(x.dtype()), ", expected a floating point input");
    const int leading = x.ndim() - normalized.size();
    bool fits = leading >= 0;
    for (int i = 0; fits && i < normalized.size(); ++i) fits = x.size(leading + i) == normalized[i];
    check(fits, what, ": Given normalized_shape=", normalized, ", expected input with shape [*, ",
          normalized.str().substr(1), ", but got input of size", x.shape());
    Geometry geometry;
    geometry.n = normalized.product();
    geometry.stat_shape = x.shape();
    for (int i = 0; i < leading; ++i) geometry.rows *= x.size(i);
    for (int i = leading; i < x.ndim(); ++i) geometry.stat_shape[i] = 1;
    return geometry;
}

void check_parameter(std::string_view what, std::string_view name, const OptionalArray& parameter,
                     const Dims& normalized) {
    if (!parameter) return;
    check(parameter->shape() == normalized, what, ": Expected ", name,
          " to be of same shape as normalized_shape, but got ", name, " of shape ",
          parameter->shape(), " and normalized_shape = ", normalized);
}

// The dtype of the input, or float32 for half inputs.
void check_parameter_dtype(std::string_view what, std::string_view name,
                           const OptionalArray& parameter, DType input) {
    if (!parameter) return;
    const DType dtype = parameter->dtype();
    check(dtype == input || (is_half(input) && dtype == DType::F32), what, ": mixed dtype: the "
          "input is ", name_of(input), ", the ", name, " ", name_of(dtype),
          "; convert one of them");
}

// A dense array of the computing type, or null where there is none.
template <class T>
struct Dense {
    Array array;
    T* data = nullptr;

    explicit Dense(const Array& x)
        : array(contiguous(cast(x, dtype_of<T>))), data(array.data<T>()) {}
    explicit Dense(const OptionalArray& x) {
        if (x) *this = Dense(*x);
    }
};

template <class F>
void for_chunks(Index chunks, Index elements, F&& f) {
    if (chunks == 1) return f(0);
    parallel_for(chunks, 100e-9 + double(elements) / double(chunks) * kSecondsPerElement, f);
}

// Calls f(first row, rows) over all rows, some tens of microseconds of work each.
template <class F>
void for_rows(const Geometry& geometry, F&& f) {
    const Index per_task = std::max<Index>(1, kElementsPerTask / geometry.n);
    const Index tasks = (geometry.rows + per_task - 1) / per_task;
    for_chunks(tasks, geometry.rows * geometry.n, [&](Index task) {
        const Index first = task * per_task;
        f(first, std::min(per_task, geometry.rows - first));
    });
}

template <class T>
NormRows<T> rows_at(const Geometry& geometry, Index first, Index rows, const T* x, const T* weight,
                    T* mean, T* rstd) {
    return {rows, geometry.n, x + first * geometry.n, weight, mean ? mean + first : nullptr,
            rstd + first};
}

// The result, and of each row the mean and the reciprocal standard deviation.
std::tuple<Array, Array, Array> layer_norm(const Array& x, const Dims& normalized_shape,
                                           const OptionalArray& weight, const OptionalArray& bias,
                                           double eps) {
    const Geometry geometry = geometry_of("layer_norm", x, normalized_shape);
    check_parameter("layer_norm", "weight", weight, normalized_shape);
    check_parameter("layer_norm", "bias", bias, normalized_shape);
    check_parameter_dtype("layer_norm", "weight", weight, x.dtype());
    check_parameter_dtype("layer_norm", "bias", bias, x.dtype());
    const DType dtype = compute_dtype(x.dtype());
    x.storage();  // pending, it runs before the result takes memory
    const Array y = Array::empty(x.shape(), dtype);
    const Array mean = Array::empty(geometry.stat_shape, dtype);
    const Array rstd = Array::empty(geometry.stat_shape, dtype);
    if (!y.nothing_to_compute()) {
        dispatch_real("layer_norm", dtype, [&]<class T>() {
            const Dense<T> input(x), scale(weight), shift(bias);
            T *out = y.data<T>(), *means = mean.data<T>(), *rstds = rstd.data<T>();
            const auto& loops = norm_table().get<T>();
            for_rows(geometry, [&](Index first, Index rows) {
                loops.layer_norm(rows_at<T>(geometry, first, rows, input.data, scale.data, means,
                                            rstds),
                                 shift.data, eps, out + first * geometry.n);
            });
        });
    }
    return {cast(y, x.dtype()), mean, rstd};
}

// The result, and of each row 1 / sqrt(mean(x^2) + eps). eps defaults to the machine epsilon of the
// dtype that is computed in.
std::pair<Array, Array> rms_norm(const Array& x, const Dims& normalized_shape,
                                 const OptionalArray& weight, std::optional<double> eps) {
    const Geometry geometry = geometry_of("rms_norm", x, normalized_shape);
    check_parameter("rms_norm", "weight", weight, normalized_shape);
    const DType dtype = compute_dtype(x.dtype());
    x.storage();
    const Array y = Array::empty(x.shape(), dtype);
    const Array rstd = Array::empty(geometry.stat_shape, dtype);
    if (!y.nothing_to_compute()) {
        dispatch_real("rms_norm", dtype, [&]<class T>() {
            const Dense<T> input(x), scale(weight);
            T *out = y.data<T>(), *rstds = rstd.data<T>();
            const double epsilon = eps.value_or(double(std::numeric_limits<T>::epsilon()));
            const auto& loops = norm_table().get<T>();
            for_rows(geometry, [&](Index first, Index rows) {
                loops.rms_norm(rows_at<T>(geometry, first, rows, input.data, scale.data, nullptr,
                                          rstds),
                               epsilon, out + first * geometry.n);
            });
        });
    }
    return {cast(y, x.dtype()), rstd};
}

// ---- backward

struct Needs {
    bool x, weight, bias;
};

// Sums over the rows for the gradients of the parameters: a partial sum for each chunk of rows,
// which the shape alone decides, added up in order.
class ParameterSums {
public:
    ParameterSums(const Geometry& geometry, DType dtype, bool wanted) : n_(geometry.n) {
        const Index fill = std::max<Index>(1, kElementsPerTask / std::max<Index>(n_, 1));
        const Index even = (geometry.rows + kMaxChunks - 1) / kMaxChunks;
        rows_each_ = std::max(fill, even);
        chunks_ = std::max<Index>(1, (geometry.rows + rows_each_ - 1) / rows_each_);
        if (wanted) parts_ = Array::zeros({chunks_, n_}, dtype);
    }
    Index chunks() const noexcept { return chunks_; }
    Index rows_each() const noexcept { return rows_each_; }

    template <class T>
    T* part(Index chunk) const {
        return parts_ ? parts_.data<T>() + chunk * n_ : nullptr;
    }
    // The total in the parameter's shape and dtype; empty if it was not wanted.
    template <class T>
    Array total(const Dims& shape, DType dtype) const {
        if (!parts_) return Array();
        norm_table().get<T>().add_parts(parts_.data<T>(), chunks_, n_);
        const Array sum = chunks_ == 1 ? parts_ : clone(parts_.slice(0, 0, 1, 1));
        return cast(sum.view(shape), dtype);
    }

private:
    Index n_, rows_each_ = 1, chunks_ = 1;
    Array parts_;
};

// Runs loop(rows, grad, dx, dweight, dbias) over all rows; the gradients in the order of Needs.
template <class T, class Loop>
std::tuple<Array, Array, Array> run_backward(const Geometry& geometry, const Array& grad,
                                             const Array& x, const Dims& normalized_shape,
                                             const OptionalArray& mean, const Array& rstd,
                                             const OptionalArray& weight, Needs needs, Loop loop) {
    const DType dtype = dtype_of<T>, parameter = weight ? weight->dtype() : x.dtype();
    const Array dx = needs.x ? Array::empty(x.shape(), dtype) : Array();
    const ParameterSums weights(geometry, dtype, needs.weight), biases(geometry, dtype, needs.bias);
    if (x.numel() > 0) {
        const Dense<T> input(x), upstream(grad), scale(weight), means(mean), rstds(rstd);
        T* const out = needs.x ? dx.data<T>() : nullptr;
        for_chunks(weights.chunks(), x.numel(), [&](Index chunk) {
            const Index first = chunk * weights.rows_each();
            const Index rows = std::min(weights.rows_each(), geometry.rows - first);
            const Index at = first * geometry.n;
            loop(rows_at<T>(geometry, first, rows, input.data, scale.data, means.data, rstds.data),
                 upstream.data + at, out ? out + at : nullptr, weights.template part<T>(chunk),
                 biases.template part<T>(chunk));
        });
    }
    return {needs.x ? cast(dx, x.dtype()) : Array(),
            weights.template total<T>(normalized_shape, parameter),
            biases.template total<T>(normalized_shape, parameter)};
}

void check_grad(std::string_view what, const Array& grad, const Array& x) {
    check(grad.shape() == x.shape(), what, ": the gradient has shape ", grad.shape(),
          ", the input ", x.shape());
}

// The gradients of the input, the weight and the bias; None for those that are not needed.
std::tuple<Array, Array, Array> layer_norm_backward(const Array& grad, const Array& x,
                                                    const Dims& normalized_shape,
                                                    const Array& mean, const Array& rstd,
                                                    const OptionalArray& weight, bool needs_x,
                                                    bool needs_weight, bool needs_bias) {
    const Geometry geometry = geometry_of("layer_norm_backward", x, normalized_shape);
    check_grad("layer_norm_backward", grad, x);
    return dispatch_real("layer_norm_backward", compute_dtype(x.dtype()), [&]<class T>() {
        return run_backward<T>(geometry, grad, x, normalized_shape, mean, rstd, weight,
                               Needs{needs_x, needs_weight, needs_bias},
                               norm_table().get<T>().layer_norm_backward);
    });
}

std::pair<Array, Array> rms_norm_backward(const Array& grad, const Array& x,
                                          const Dims& normalized_shape, const Array& rstd,
                                          const OptionalArray& weight, bool needs_x,
                                          bool needs_weight) {
    const Geometry geometry = geometry_of("rms_norm_backward", x, normalized_shape);
    check_grad("rms_norm_backward", grad, x);
    auto [dx, dweight, none] =
        dispatch_real("rms_norm_backward", compute_dtype(x.dtype()), [&]<class T>() {
            const auto loop = norm_table().get<T>().rms_norm_backward;
            return run_backward<T>(geometry, grad, x, normalized_shape, std::nullopt, rstd, weight,
                                   Needs{needs_x, needs_weight, false},
                                   [loop](const NormRows<T>& rows, const T* g, T* dx, T* dweight,
                                          T*) { loop(rows, g, dx, dweight); });
        });
    return {dx, dweight};
}

}  // namespace

void bind_norm(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("layer_norm", &layer_norm, "x"_a, "normalized_shape"_a, "weight"_a.none(),
          "bias"_a.none(), "eps"_a = 1e-5);
    m.def("layer_norm_backward", &layer_norm_backward, "grad"_a, "x"_a, "normalized_shape"_a,
          "mean"_a, "rstd"_a, "weight"_a.none(), "needs_x"_a = true, "needs_weight"_a = true,
          "needs_bias"_a = true);
    m.def("rms_norm", &rms_norm, "x"_a, "normalized_shape"_a, "weight"_a.none(),
          "eps"_a = nanobind::none());
    m.def("rms_norm_backward", &rms_norm_backward, "grad"_a, "x"_a, "normalized_shape"_a,
          "rstd"_a, "weight"_a.none(), "needs_x"_a = true, "needs_weight"_a = true);
}

}  // namespace rushlight
