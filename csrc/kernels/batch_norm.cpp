// Batch norm, forward and backward: each channel of (N, C, ...) is normalized by its own mean and
// variance over all items and positions.
#include <cmath>
#include <vector>

#include "bind/casters.h"
#include "kernels/batch_norm_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

using OptionalArray = std::optional<Array>;

constexpr double kSecondsPerElement = 0.5e-9;
constexpr Index kElementsPerBlock = 32768;  // of float32: stays in the second-level cache
constexpr Index kChannelsPerTask = 64;

DType compute_dtype(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

// The input as (items, channels, length), cut into blocks of adjacent memory: some items, or some
// channels of one, or a part of one channel of one. In channels' order instead, memory would be
// read in jumps.
class Blocks {
public:
    explicit Blocks(const Dims& shape) : items_(shape[0]), channels_(shape[1]) {
        for (int i = 2; i < shape.size(); ++i) length_ *= shape[i];
        n_ = std::min(length_, kElementsPerBlock);
        group_ = std::clamp<Index>(kElementsPerBlock / n_, 1, channels_);
        together_ = std::clamp<Index>(kElementsPerBlock / (n_ * group_), 1, items_);
        pieces_ = (length_ + n_ - 1) / n_;
        groups_ = (channels_ + group_ - 1) / group_;
        parts_ = (items_ + together_ - 1) / together_ * pieces_;
    }
    Index channels() const noexcept { return channels_; }
    Index parts() const noexcept { return parts_; }  // blocks that a channel is in
    double count() const noexcept { return double(items_ * length_); }  // numbers of a channel
    double count_of_part(Index part) const noexcept {
        const NormBlock block = block_of(part);
        return double(block.items * block.n);
    }

    // Calls f(block, part, its first channel, where it starts).
    template <class F>
    void each(double seconds_per_element, F&& f) const {
        const Index tasks = parts_ * groups_;
        const auto run = [&](Index task) {
            const Index part = task / groups_, first = task % groups_ * group_;
            NormBlock block = block_of(part);
            block.channels = std::min(group_, channels_ - first);
            const Index item = part / pieces_ * together_, from = part % pieces_ * n_;
            f(block, part, first, (item * channels_ + first) * length_ + from);
        };
        if (tasks == 1) return run(0);
        parallel_for(tasks, 100e-9 + double(kElementsPerBlock) * seconds_per_element, run);
    }

    // Calls f(channel); what there is to do for one takes time with the number of parts.
    template <class F>
    void each_channel(F&& f) const {
        const Index tasks = (channels_ + kChannelsPerTask - 1) / kChannelsPerTask;
        const double seconds = double(kChannelsPerTask) * (20e-9 + double(parts_) * 2e-9);
        parallel_for(tasks, seconds, [&](Index task) {
            const Index stop = std::min(channels_, (task + 1) * kChannelsPerTask);
            for (Index c = task * kChannelsPerTask; c < stop; ++c) f(c);
        });
    }

private:
    NormBlock block_of(Index part) const noexcept {
        const Index item = part / pieces_ * together_, from = part % pieces_ * n_;
        return {std::min(together_, items_ - item), channels_, std::min(n_, length_ - from),
                channels_ * length_, length_};
    }

    Index items_, channels_, length_ = 1;
    Index n_, group_, together_;  // of a block: numbers of a row, channels, items
    Index pieces_, groups_, parts_;
};

// A vector of one number for each channel, in double precision; empty for no array.
std::vector<double> numbers_of(const OptionalArray& x) {
    if (!x) return {};
    const Array dense = contiguous(*x);
    std::vector<double> numbers(std::size_t(dense.numel()));
    dispatch(dense.dtype(), [&]<class T>() {
        const T* from = dense.data<T>();
        for (double& number : numbers) number = convert<double>(*from++);
    });
    return numbers;
}

// values = (1 - momentum) values + momentum batch
void move_towards(const Array& values, const std::vector<double>& batch, double momentum) {
    std::vector<double> before = numbers_of(values);
    const Array after = Array::empty({Index(batch.size())}, values.dtype());
    dispatch(values.dtype(), [&]<class T>() {
        T* to = after.data<T>();
        for (std::size_t c = 0; c < batch.size(); ++c) {
            to[c] = convert<T>(momentum * batch[c] + (1 - momentum) * before[c]);
        }
    });
    assign(values, after);
}

// The result. Also fills `statistics` (2, C): of each channel the mean and
// 1 / sqrt(variance + eps). While training it moves the running values.
Array batch_norm(const Array& x, const OptionalArray& weight, const OptionalArray& bias,
                 const OptionalArray& running_mean, const OptionalArray& running_var,
                 bool training, double momentum, double eps, const Array& statistics) {
    const DType dtype = compute_dtype(x.dtype());
    check(x.ndim() >= 2 && x.numel() > 0, "batch_norm: expected an input (N, C, ...) that is not "
          "empty, got one of shape ", x.shape());
    const Blocks blocks(x.shape());
    const Index channels = blocks.channels(), parts = blocks.parts();
    check(statistics.shape() == Dims{2, channels} && statistics.dtype() == dtype &&
              statistics.is_contiguous(),
          "batch_norm: no room for the statistics");
    if (x.is_meta()) return Array::meta(x.shape(), x.dtype());
    const auto size = std::size_t(channels);
    const std::vector<double> weights = numbers_of(weight), biases = numbers_of(bias);
    std::vector<double> means, variances;
    if (!training) {
        means = numbers_of(running_mean);
        variances = numbers_of(running_var);
    }
    means.resize(size);
    variances.resize(size);
    x.storage();  // pending, it runs before the result takes memory
    const Array y = Array::empty(x.shape(), dtype);
    dispatch_real("batch_norm", dtype, [&]<class T>() {
        const auto& loops = batch_norm_table().get<T>();
        const Array input = contiguous(cast(x, dtype));
        const T* in = input.data<T>();
        T *out = y.data<T>(), *kept = statistics.data<T>();
        if (training) {
            std::vector<Moments> moments(size * std::size_t(parts));
            std::vector<double> counts(static_cast<std::size_t>(parts));
            for (Index p = 0; p < parts; ++p) counts[std::size_t(p)] = blocks.count_of_part(p);
            blocks.each(kSecondsPerElement, [&](const NormBlock& block, Index part, Index first,
                                                Index at) {
                loops.moments(block, in + at, moments.data() + part * channels + first);
            });
            blocks.each_channel([&](Index channel) {
                const Moments* own = moments.data() + channel;
                double total = 0, squares = 0;
                for (Index p = 0; p < parts; ++p) {
                    total += own[p * channels].mean * counts[std::size_t(p)];
                }
                const double mean = total / blocks.count();
                for (Index p = 0; p < parts; ++p) {
                    const double apart = own[p * channels].mean - mean;
                    squares += own[p * channels].squares + counts[std::size_t(p)] * apart * apart;
                }
                means[std::size_t(channel)] = mean;
                variances[std::size_t(channel)] = squares / blocks.count();
            });
        }
        std::vector<T> mean(size), scale(size), shift(size);
        for (std::size_t c = 0; c < size; ++c) {
            const double rstd = 1 / std::sqrt(variances[c] + eps);
            kept[c] = mean[c] = T(means[c]);
            kept[size + c] = T(rstd);
            scale[c] = T(weights.empty() ? rstd : rstd * weights[c]);
            shift[c] = T(biases.empty() ? 0 : biases[c]);
        }
        blocks.each(kSecondsPerElement, [&](const NormBlock& block, Index, Index first, Index at) {
            loops.normalize(block, in + at, mean.data() + first, scale.data() + first,
                            shift.data() + first, out + at);
        });
    });
    if (training) {
        if (running_mean) move_towards(*running_mean, means, momentum);
        if (running_var) {
            const double count = blocks.count();
            for (double& variance : variances) variance = variance * count / (count - 1);
            move_towards(*running_var, variances, momentum);
        }
    }
    return cast(y, x.dtype());
}

// The gradients of the input, the weight and the bias; None for those that are not needed.
std::tuple<Array, Array, Array> batch_norm_backward(const Array& grad, const Array& x,
                                                    const OptionalArray& weight,
                                                    const OptionalArray& bias,
                                                    const Array& statistics, bool training,
                                                    bool needs_x, bool needs_weight,
                                                    bool needs_bias) {
    check(grad.shape() == x.shape() && x.ndim() >= 2 && x.numel() > 0,
          "batch_norm_backward: the gradient has shape ", grad.shape(), ", the input ", x.shape());
    const DType dtype = compute_dtype(x.dtype());
    const Blocks blocks(x.shape());
    const Index channels = blocks.channels(), parts = blocks.parts();
    const auto size = std::size_t(channels);
    const std::vector<double> weights = numbers_of(weight);
    std::vector<double> grads(size), products(size);
    grad.storage();
    const Array dx = needs_x ? Array::empty(x.shape(), dtype) : Array();
    const Array kept = contiguous(cast(statistics, dtype));
    dispatch_real("batch_norm_backward", dtype, [&]<class T>() {
        const auto& loops = batch_norm_table().get<T>();
        const Array input = contiguous(cast(x, dtype)), upstream = contiguous(cast(grad, dtype));
        const T *in = input.data<T>(), *g = upstream.data<T>();
        const T *mean = kept.data<T>(), *rstd = mean + channels;
        if (training || needs_weight || needs_bias) {
            std::vector<double> ones(size * std::size_t(parts)), twos(ones.size());
            blocks.each(2 * kSecondsPerElement, [&](const NormBlock& block, Index part, Index first,
                                                    Index at) {
                loops.sums(block, g + at, in + at, mean + first,
                           ones.data() + part * channels + first,
                           twos.data() + part * channels + first);
            });
            blocks.each_channel([&](Index channel) {
                double one = 0, two = 0;
                for (Index p = 0; p < parts; ++p) {
                    one += ones[std::size_t(p * channels + channel)];
                    two += twos[std::size_t(p * channels + channel)];
                }
                grads[std::size_t(channel)] = one;
                products[std::size_t(channel)] = two * double(rstd[channel]);
            });
        }
        if (!needs_x) return;
        std::vector<T> level(size), slope(size), scale(size);
        for (std::size_t c = 0; c < size; ++c) {
            const double r = double(rstd[c]), factor = weights.empty() ? r : r * weights[c];
            level[c] = T(training ? grads[c] / blocks.count() * factor : 0);
            slope[c] = T(training ? products[c] * r / blocks.count() * factor : 0);
            scale[c] = T(factor);
        }
        T* const out = dx.data<T>();
        blocks.each(2 * kSecondsPerElement, [&](const NormBlock& block, Index, Index first,
                                                Index at) {
            loops.gradient(block, g + at, in + at, mean + first, level.data() + first,
                           slope.data() + first, scale.data() + first, out + at);
        });
    });
    const auto vector = [&](const std::vector<double>& values, const OptionalArray& of) {
        const Array result = Array::empty({channels}, DType::F64);
        std::copy(values.begin(), values.end(), result.data<double>());
        return cast(result, of ? of->dtype() : dtype);
    };
    return {needs_x ? cast(dx, x.dtype()) : Array(),
            needs_weight ? vector(products, weight) : Array(),
            needs_bias ? vector(grads, bias) : Array()};
}

}  // namespace

void bind_batch_norm(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("batch_norm", &batch_norm, "x"_a, "weight"_a.none(), "bias"_a.none(),
          "running_mean"_a.none(), "running_var"_a.none(), "training"_a, "momentum"_a, "eps"_a,
          "statistics"_a);
    m.def("batch_norm_backward", &batch_norm_backward, "grad"_a, "x"_a, "weight"_a.none(),
          "bias"_a.none(), "statistics"_a, "training"_a, "needs_x"_a, "needs_weight"_a,
          "needs_bias"_a);
}

}  // namespace rushlight
