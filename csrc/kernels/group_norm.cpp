// Group norm, forward and backward: each group of channels of each item is normalized by its own
// mean and variance. The loops are those of batch norm, over one group at a time.
#include <cmath>
#include <vector>

#include "bind/casters.h"
#include "kernels/batch_norm_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

using OptionalArray = std::optional<Array>;

constexpr double kSecondsPerElement = 0.5e-9;
constexpr Index kElementsPerTask = 16384;

DType compute_dtype(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

// The input as groups, one for each item and each group of its channels, in the order of memory.
struct Groups {
    Index items, of_item, channels, length = 1;  // channels: of a group

    Groups(const Array& x, Index groups) : items(x.size(0)), of_item(groups) {
        channels = x.size(1) / groups;
        for (int i = 2; i < x.ndim(); ++i) length *= x.size(i);
    }
    Index count() const noexcept { return items * of_item; }
    Index n() const noexcept { return channels * length; }
    Dims stat_shape() const { return {items, of_item}; }
    // A group as one row, and as a row for each channel.
    NormBlock whole() const noexcept { return {1, 1, n(), n(), n()}; }
    NormBlock rows() const noexcept { return {1, channels, length, n(), length}; }
    // The first channel of a group.
    Index channel(Index group) const noexcept { return group % of_item * channels; }

    // Calls f(first group, last group), some tens of microseconds of work each.
    template <class F>
    void each_task(F&& f) const {
        const Index per_task = std::max<Index>(1, kElementsPerTask / n());
        const Index tasks = (count() + per_task - 1) / per_task;
        if (tasks == 1) return f(0, count());
        parallel_for(tasks, 100e-9 + double(per_task * n()) * kSecondsPerElement, [&](Index task) {
            f(task * per_task, std::min(count(), (task + 1) * per_task));
        });
    }
};

void check_input(const Array& x, Index groups) {
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()), "group_norm: not implemented for ",
             name_of(x.dtype()), ", expected a floating point input");
    check(x.ndim() >= 2 && groups > 0 && x.size(1) % groups == 0,
          "group_norm: expected an input (N, C, ...) whose channels ", groups,
          " divides, got one of shape ", x.shape());
}

// The dtype of the input, or float32 for half inputs.
void check_parameter(std::string_view name, const OptionalArray& parameter, const Array& x) {
    if (!parameter) return;
    const DType dtype = parameter->dtype();
    check(dtype == x.dtype() || (is_half(x.dtype()) && dtype == DType::F32),
          "group_norm: mixed dtype: the input is ", name_of(x.dtype()), ", the ", name, " ",
          name_of(dtype), "; convert one of them");
    check(parameter->shape() == Dims{x.size(1)}, "group_norm: expected a ", name,
          " of one number for each of ", x.size(1), " channels, got shape ", parameter->shape());
}

// A dense array of the computing dtype; empty for none.
Array dense(const OptionalArray& x, DType dtype) {
    return x ? contiguous(cast(*x, dtype)) : Array();
}

// The result, and of each group the mean and 1 / sqrt(variance + eps).
std::tuple<Array, Array, Array> group_norm(const Array& x, Index num_groups,
                                           const OptionalArray& weight, const OptionalArray& bias,
                                           double eps) {
    check_input(x, num_groups);
    check_parameter("weight", weight, x);
    check_parameter("bias", bias, x);
    const DType dtype = compute_dtype(x.dtype());
    const Groups groups(x, num_groups);
    x.storage();  // pending, it runs before the result takes memory
    const Array y = Array::empty(x.shape(), dtype);
    const Array mean = Array::empty(groups.stat_shape(), dtype);
    const Array rstd = Array::empty(groups.stat_shape(), dtype);
    if (!y.nothing_to_compute()) dispatch_real("group_norm", dtype, [&]<class T>() {
        const auto& loops = batch_norm_table().get<T>();
        const Array input = dense(x, dtype), weights = dense(weight, dtype);
        const Array biases = dense(bias, dtype);
        const T *in = input.data<T>(), *w = weights ? weights.data<T>() : nullptr;
        const T* b = biases ? biases.data<T>() : nullptr;
        T *out = y.data<T>(), *means = mean.data<T>(), *rstds = rstd.data<T>();
        groups.each_task([&](Index first, Index last) {
            const auto channels = std::size_t(groups.channels);
            std::vector<T> center(channels), scale(channels), shift(channels);
            for (Index g = first; g < last; ++g) {
                const Index at = g * groups.n(), channel = groups.channel(g);
                Moments moments;
                loops.moments(groups.whole(), in + at, &moments);
                means[g] = T(moments.mean);
                rstds[g] = T(1 / std::sqrt(moments.squares / double(groups.n()) + eps));
                for (std::size_t c = 0; c < channels; ++c) {
                    center[c] = means[g];
                    scale[c] = w ? rstds[g] * w[channel + Index(c)] : rstds[g];
                    shift[c] = b ? b[channel + Index(c)] : T(0);
                }
                loops.normalize(w || b ? groups.rows() : groups.whole(), in + at, center.data(),
                                scale.data(), shift.data(), out + at);
            }
        });
    });
    return {cast(y, x.dtype()), mean, rstd};
}

// Sums of items, factor(item, channel) * values(item, channel), as a parameter of the dtype.
template <class F>
Array over_items(const Groups& groups, const std::vector<double>& values, DType dtype, F factor) {
    const Index channels = groups.of_item * groups.channels;
    const Array sums = Array::zeros({channels}, DType::F64);
    double* to = sums.data<double>();
    for (Index i = 0; i < groups.items; ++i)
        for (Index c = 0; c < channels; ++c)
            to[c] += factor(i * groups.of_item + c / groups.channels) *
                     values[std::size_t(i * channels + c)];
    return cast(sums, dtype);
}

// The gradients of the input, the weight and the bias; None for those that are not needed.
std::tuple<Array, Array, Array> group_norm_backward(const Array& grad, const Array& x,
                                                    Index num_groups, const Array& mean,
                                                    const Array& rstd, const OptionalArray& weight,
                                                    bool needs_x, bool needs_weight,
                                                    bool needs_bias) {
    check_input(x, num_groups);
    check(grad.shape() == x.shape(), "group_norm_backward: the gradient has shape ", grad.shape(),
          ", the input ", x.shape());
    const DType dtype = compute_dtype(x.dtype()), parameter = weight ? weight->dtype() : x.dtype();
    const Groups groups(x, num_groups);
    grad.bytes();
    const Array dx = needs_x ? Array::empty(x.shape(), dtype) : Array();
    // Of each channel of each item: the sums of grad and of grad (x - mean).
    std::vector<double> grads(std::size_t(x.size(0) * x.size(1))), products(grads.size());
    const Array centers = dense(mean, dtype), scales = dense(rstd, dtype);
    return dispatch_real("group_norm_backward", dtype, [&]<class T>() {
        const T *means = centers.data<T>(), *rstds = scales.data<T>();
        const auto& loops = batch_norm_table().get<T>();
        const Array input = dense(x, dtype), upstream = dense(grad, dtype);
        const Array weights = dense(weight, dtype);
        const T *in = input.data<T>(), *from = upstream.data<T>();
        const T* w = weights ? weights.data<T>() : nullptr;
        T* const out = needs_x ? dx.data<T>() : nullptr;
        if (x.numel() > 0) groups.each_task([&](Index first, Index last) {
            const auto channels = std::size_t(groups.channels);
            std::vector<T> center(channels), level(channels), slope(channels), scale(channels);
            for (Index g = first; g < last; ++g) {
                const Index at = g * groups.n(), channel = groups.channel(g);
                double* const ones = grads.data() + g * groups.channels;
                double* const twos = products.data() + g * groups.channels;
                std::fill(center.begin(), center.end(), means[g]);
                loops.sums(groups.rows(), from + at, in + at, center.data(), ones, twos);
                if (!out) continue;
                const double r = double(rstds[g]), n = double(groups.n());
                double one = 0, two = 0;
                for (std::size_t c = 0; c < channels; ++c) {
                    const double factor = w ? double(w[channel + Index(c)]) : 1.0;
                    one += factor * ones[c];
                    two += factor * twos[c];
                    scale[c] = T(factor * r);
                }
                std::fill(level.begin(), level.end(), T(one / n * r));
                std::fill(slope.begin(), slope.end(), T(two / n * r * r * r));
                loops.gradient(groups.rows(), from + at, in + at, center.data(), level.data(),
                               slope.data(), scale.data(), out + at);
            }
        });
        const auto by_rstd = [rstds](Index group) { return double(rstds[group]); };
        return std::tuple(
            needs_x ? cast(dx, x.dtype()) : Array(),
            needs_weight ? over_items(groups, products, parameter, by_rstd) : Array(),
            needs_bias ? over_items(groups, grads, parameter, [](Index) { return 1.0; }) : Array());
    });
}

}  // namespace

void bind_group_norm(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("group_norm", &group_norm, "x"_a, "num_groups"_a, "weight"_a.none(), "bias"_a.none(),
          "eps"_a);
    m.def("group_norm_backward", &group_norm_backward, "grad"_a, "x"_a, "num_groups"_a, "mean"_a,
          "rstd"_a, "weight"_a.none(), "needs_x"_a, "needs_weight"_a, "needs_bias"_a);
}

}  // namespace rushlight
