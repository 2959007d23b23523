// Layer norm and RMS norm over the last axes, forward and backward.
#include <limits>

#include "array/launch.h"
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

// A dense array of the computing type, or null where there is none. Nobody waits for it here.
template <class T>
struct Dense {
    Array array;
    T* data = nullptr;

    explicit Dense(const Array& x)
        : array(contiguous(cast(x, dtype_of<T>))), data(array.address_of<T>()) {}
    explicit Dense(const OptionalArray& x) {
        if (x) *this = Dense(*x);
    }
};

template <class F>
void for_chunks(Index chunks, Index elements, F&& f) {
    parallel_for(chunks, 100e-9 + double(elements) / double(chunks) * kSecondsPerElement, f);
}

// Calls f(first row, rows) over all rows, some tens of microseconds of work each. The arrays are
// known by their addresses; f is copied where it runs behind the caller.
template <class F>
void launch_rows(const Geometry& geometry, const Touches& touches, const F& f) {
    const Index per_task = std::max<Index>(1, kElementsPerTask / geometry.n);
    const Index rows = geometry.rows, tasks = (rows + per_task - 1) / per_task;
    const Index elements = rows * geometry.n;
    if (tasks == 1)
        return launch(double(elements) * kSecondsPerElement, touches, [=] { f(0, rows); });
    wait_for(touches);
    for_chunks(tasks, elements, [&](Index task) {
        const Index first = task * per_task;
        f(first, std::min(per_task, rows - first));
    });
}

template <class T>
NormRows<T> rows_at(Index n, Index first, Index rows, const T* x, const T* weight, T* mean,
                    T* rstd) {
    return {rows, n, x + first * n, weight, mean ? mean + first : nullptr, rstd + first};
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
            T *out = y.address_of<T>(), *means = mean.address_of<T>(),
              *rstds = rstd.address_of<T>();
            const T *from = input.data, *weights = scale.data, *biases = shift.data;
            launch_rows(geometry, {&input.array, &scale.array, &shift.array, &y, &mean, &rstd},
                        [=, n = geometry.n, loop = norm_table().get<T>().layer_norm](
                            Index first, Index rows) {
                loop(rows_at<T>(n, first, rows, from, weights, means, rstds), biases, eps,
                     out + first * n);
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
            T *out = y.address_of<T>(), *rstds = rstd.address_of<T>();
            const T *from = input.data, *weights = scale.data;
            const double epsilon = eps.value_or(double(std::numeric_limits<T>::epsilon()));
            launch_rows(geometry, {&input.array, &scale.array, &y, &rstd},
                        [=, n = geometry.n, loop = norm_table().get<T>().rms_norm](Index first,
                                                                                   Index rows) {
                loop(rows_at<T>(n, first, rows, from, weights, nullptr, rstds), epsilon,
                     out + first * n);
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
        return parts_ ? parts_.address_of<T>() + chunk * n_ : nullptr;
    }
    const Array& parts() const noexcept { return parts_; }
    // The total in the parameter's shape and dtype; empty if it was not wanted.
    template <class T>
    Array total(const Dims& shape, DType dtype) const {
        if (!parts_) return Array();
        if (chunks_ > 1) norm_table().get<T>().add_parts(parts_.data<T>(), chunks_, n_);
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
        T* const out = needs.x ? dx.address_of<T>() : nullptr;
        T *const of_weights = weights.template part<T>(0), *const of_biases =
                                                              biases.template part<T>(0);
        const auto chunk_of = [=, from = input.data, g = upstream.data, w = scale.data,
                               m = means.data, r = rstds.data, n = geometry.n,
                               all = geometry.rows, each = weights.rows_each()](Index chunk) {
            const Index first = chunk * each, rows = std::min(each, all - first);
            const auto part = [&](T* parts) { return parts ? parts + chunk * n : nullptr; };
            loop(rows_at<T>(n, first, rows, from, w, m, r), g + first * n,
                 out ? out + first * n : nullptr, part(of_weights), part(of_biases));
        };
        const Touches touches{&input.array, &upstream.array, &scale.array, &means.array,
                              &rstds.array, &dx, &weights.parts(), &biases.parts()};
        if (weights.chunks() == 1) {
            launch(double(x.numel()) * kSecondsPerElement, touches, [=] { chunk_of(0); });
        } else {
            wait_for(touches);
            for_chunks(weights.chunks(), x.numel(), chunk_of);
        }
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
