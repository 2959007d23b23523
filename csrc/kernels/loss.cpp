// Losses over classes: cross-entropy (against class indices or probabilities) and the negative
// log-likelihood, forward and backward in one pass over the logits each.
#include <array>
#include <cmath>
#include <vector>

#include "bind/casters.h"
#include "kernels/slices.h"

namespace rushlight {
namespace {

constexpr double kSecondsPerElement = 0.5e-9;
constexpr double kSecondsPerItem = 4e-9;  // of what gathers one class of an item

enum Reduction : int { kNone, kMean, kSum };

int class_axis(const Array& x) { return x.ndim() == 1 ? 0 : 1; }

// The shape of x without its classes.
Dims item_shape(const Array& x) {
    Dims shape = x.shape();
    shape.erase(class_axis(x));
    return shape;
}

void check_input(std::string_view what, const Array& x, const std::optional<Array>& weight) {
    check_as(ErrorKind::Value, x.ndim() > 0, what, ": Expected 1 or more dimensions (got 0)");
    check_as(ErrorKind::NotImplemented, is_floating(x.dtype()), what, ": not implemented for ",
             name_of(x.dtype()), ", expected a floating point input");
    if (!weight) return;
    const Index classes = x.size(class_axis(x));
    check(weight->ndim() == 1 && weight->numel() == classes, what,
          ": weight tensor should be defined either for all ", classes,
          " classes or no classes but got weight tensor of shape: ", weight->shape());
    check(weight->dtype() == x.dtype(), what, ": expected a weight of dtype ", name_of(x.dtype()),
          " as the input has, got ", name_of(weight->dtype()));
}

// Class indices as int64, one per item.
Array class_indices(std::string_view what, const Array& x, const Array& target) {
    const DType dtype = target.dtype();
    check(dtype == DType::I64 || dtype == DType::U8, what,
          ": expected target dtype to be int64 or uint8, but got ", name_of(dtype),
          is_integral(dtype) ? "; convert it with target.long()" : "");
    const Dims shape = item_shape(x);
    if (x.ndim() == 1) {
        check(target.numel() == 1 && target.ndim() <= 1, what,
              ": expected a single class index for an input of shape ", x.shape(),
              ", got a target of shape ", target.shape());
    } else if (!(target.shape() == shape)) {
        check(target.ndim() == shape.size(), what, ": expected a target of shape ", shape,
              " for an input of shape ", x.shape(), ", got ", target.shape());
        check_as(ErrorKind::Value, target.size(0) == x.size(0), "Expected input batch_size (",
                 x.size(0), ") to match target batch_size (", target.size(0), ").");
        fail(ErrorKind::Runtime, what, ": Expected target size ", shape, ", got ", target.shape());
    }
    return contiguous(cast(target, DType::I64));
}

// The classes of the items, and what each counts.
template <class T>
struct Classes {
    static constexpr Index kIgnored = -1;

    const Index* target;
    const T* weight;  // or null
    Index classes;
    Index ignore_index;

    Index operator[](Index item) const {
        const Index t = target[item];
        if (t == ignore_index) return kIgnored;
        check_as(ErrorKind::Index, t >= 0 && t < classes, "Target ", t, " is out of bounds.");
        return t;
    }
    T weight_of(Index c) const { return weight ? weight[c] : T(1); }
    // Throws where a class is out of bounds: launched kernels cannot.
    void check_all(Index items) const {
        for (Index item = 0; item < items; ++item) (*this)[item];
    }
};

// Sums of tasks, added up in the order of the tasks. One task needs no memory of its own.
class TaskSums {
public:
    explicit TaskSums(Index tasks) {
        if (tasks > 1) many_.resize(std::size_t(tasks));
    }
    void add(Index task, double loss, double weight) {
        Pair& pair = many_.empty() ? one_ : many_[std::size_t(task)];
        pair.loss += loss;
        pair.weight += weight;
    }
    double loss() const { return total(&Pair::loss); }
    double weight() const { return total(&Pair::weight); }

private:
    struct Pair {
        double loss = 0, weight = 0;
    };
    double total(double Pair::*part) const {
        double sum = one_.*part;
        for (const Pair& pair : many_) sum += pair.*part;
        return sum;
    }
    Pair one_;
    std::vector<Pair> many_;
};

// The factor that the gradient of item i has: of its own loss, or of the reduced one.
template <class T>
struct ItemGrad {
    const T* grad;
    const T* divisor;  // or null
    bool each;

    T operator[](Index item) const {
        return each ? grad[item] : divisor ? grad[0] / *divisor : grad[0];
    }
};

// Arrays of an operation in its computing type, dense. What is launched does not wait for them.
template <class T, bool launched = false>
struct Dense {
    Array array;
    const T* data = nullptr;

    explicit Dense(const Array& x)
        : array(contiguous(cast(x, dtype_of<T>))),
          data(launched ? array.template address_of<T>() : array.template data<T>()) {}
    explicit Dense(const std::optional<Array>& x) {
        if (x) *this = Dense(*x);
    }
};

Array empty_loss(const Array& x, int reduction, DType dtype) {
    return Array::empty(reduction == kNone ? item_shape(x) : Dims(), dtype);
}

// ---- cross-entropy

// What the forward pass leaves to the backward pass, in one array: for each item the maximum of
// its logits, the logarithm of the sum of exp(x - maximum) and, with probabilities as targets, the
// sum of the weighted probabilities; at the end the total weight of the mean.
template <class T>
struct Saved {
    Array array;
    Index items;
    T *max, *log_sum, *mass, *total_weight;

    // Addresses, which wait for nobody.
    explicit Saved(Array array_, Index items_) : array(std::move(array_)), items(items_) {
        max = array.address_of<T>();
        log_sum = max + items;
        mass = log_sum + items;
        total_weight = max + (array.numel() - 1);
    }
    static Saved make(Index items, bool probabilities) {
        return Saved(Array::empty({(probabilities ? 3 : 2) * items + 1}, dtype_of<T>), items);
    }
};

template <class T>
void forward_indices(const Array& x, const Array& target, const std::optional<Array>& weight,
                     int reduction, Index ignore_index, double smoothing, const Saved<T>& saved,
                     const Array& loss) {
    const SliceView view(x.shape(), class_axis(x));
    const SliceCut cut(view);
    const Dense<T, true> logits(x), weights(weight);
    const Array indices = class_indices("cross_entropy", x, target);
    const Classes<T> classes{indices.data<Index>(), weights.data, view.n, ignore_index};
    const auto& loops = softmax_table().get<T>();
    const T keep = T(1 - smoothing), spread = T(smoothing / double(view.n));
    const std::vector<T> ones(smoothing > 0 && !weights.data ? std::size_t(view.n) : 0, T(1));
    const T* shares = weights.data ? weights.data : ones.data();
    T* const losses = loss.address_of<T>();
    T *const maxima = saved.max, *const log_sums = saved.log_sum, *const total = saved.total_weight;
    const auto block_of = [=, &loops, from_all = logits.data](TaskSums& sums, Index task,
                                                              const SliceBlock& block) {
        const Index first = block.first, count = block.slices.count, step = block.item_stride();
        const T* from = from_all + block.start;
        const T *max = maxima + first, *log_sum = log_sums + first;
        loops.statistics(block.slices, from, maxima + first, log_sums + first);
        T mass[SliceCut::kMaxSlices], mass_x[SliceCut::kMaxSlices];
        if (smoothing > 0) loops.weighted_sums(block.slices, from, max, shares, true, mass, mass_x);
        double sum = 0, weight_sum = 0;
        for (Index i = 0; i < count; ++i) {
            const Index c = classes[first + i];
            T term = 0;
            if (c != Classes<T>::kIgnored) {
                const T w = classes.weight_of(c);
                const T x_c = from[i * step + c * block.slices.class_stride];
                term = keep * w * (log_sum[i] - (x_c - max[i]));
                if (smoothing > 0) term += spread * (mass[i] * log_sum[i] - mass_x[i]);
                weight_sum += double(w);
            }
            if (reduction == kNone) losses[first + i] = term;
            sum += double(term);
        }
        sums.add(task, sum, weight_sum);
    };
    const auto finish = [=](const TaskSums& sums) {
        *total = T(sums.weight());
        if (reduction == kNone) return;
        *losses = T(reduction == kMean ? sums.loss() / sums.weight() : sums.loss());
    };
    const Touches touches{&logits.array, &weights.array, &indices, &saved.array, &loss};
    if (cut.tasks() <= 1 && ones.empty()) {
        classes.check_all(view.count());
        return launch(double(x.numel()) * kSecondsPerElement, touches, [=] {
            TaskSums sums(1);
            cut.run_here([&](Index task, const SliceBlock& block) { block_of(sums, task, block); });
            finish(sums);
        });
    }
    wait_for(touches);
    TaskSums sums(cut.tasks());
    cut.run(kSecondsPerElement,
            [&](Index task, const SliceBlock& block) { block_of(sums, task, block); });
    finish(sums);
}

void check_probabilities(const Array& x, const Array& target) {
    if (x.ndim() > 1 && target.ndim() > 0 && target.size(0) != x.size(0)) [[unlikely]]
        fail(ErrorKind::Value, "Expected input batch_size (", x.size(0),
             ") to match target batch_size (", target.size(0), ").");
    check(target.shape() == x.shape(), "cross_entropy: expected probabilities of shape ", x.shape(),
          " as the input has, got ", target.shape());
    check(target.dtype() == x.dtype(), "cross_entropy: expected probabilities of dtype ",
          name_of(x.dtype()), " as the input has, got ", name_of(target.dtype()));
}

template <class T>
void forward_probabilities(const Array& x, const Array& target, const std::optional<Array>& weight,
                           int reduction, double smoothing, const Saved<T>& saved,
                           const Array& loss) {
    check_probabilities(x, target);
    const SliceView view(x.shape(), class_axis(x));
    const SliceCut cut(view);
    const Dense<T> logits(x), weights(weight), given(target);
    const auto& loops = softmax_table().get<T>();
    const T keep = T(1 - smoothing), spread = T(smoothing / double(view.n));
    const bool as_given = smoothing == 0 && !weights.data;
    const Array changed = Array::empty(as_given ? Dims{0} : x.shape(), dtype_of<T>);
    T *const q = changed.data<T>(), *const losses = loss.data<T>();
    wait_for(Touches{&saved.array});
    TaskSums sums(cut.tasks());
    cut.run(kSecondsPerElement, [&](Index task, const SliceBlock& block) {
        const Index first = block.first, count = block.slices.count;
        const T* from = logits.data + block.start;
        const T *max = saved.max + first, *log_sum = saved.log_sum + first;
        const T* mass = saved.mass + first;
        loops.statistics(block.slices, from, saved.max + first, saved.log_sum + first);
        if (!as_given) {
            loops.shares(block.slices, given.data + block.start, weights.data, keep, spread,
                         nullptr, q + block.start);
        }
        T mass_x[SliceCut::kMaxSlices];
        loops.weighted_sums(block.slices, from, max, (as_given ? given.data : q) + block.start,
                            false, saved.mass + first, mass_x);
        double loss = 0;
        for (Index i = 0; i < count; ++i) {
            const T term = mass[i] * log_sum[i] - mass_x[i];
            if (reduction == kNone) losses[first + i] = term;
            loss += double(term);
        }
        sums.add(task, loss, 0);
    });
    *saved.total_weight = T(view.count());
    if (reduction != kNone)
        *losses = T(reduction == kMean ? sums.loss() / double(view.count()) : sums.loss());
}

// The loss, and what cross_entropy_backward needs of it. The target holds class indices (of the
// shape of x without its classes) or probabilities (of the shape of x).
std::pair<Array, Array> cross_entropy(const Array& x, const Array& target,
                                      const std::optional<Array>& weight, int reduction,
                                      Index ignore_index, double smoothing) {
    check_input("cross_entropy", x, weight);
    check(smoothing >= 0 && smoothing <= 1,
          "label_smoothing must be between 0.0 and 1.0. Got: ", smoothing);
    const bool probabilities = is_floating(target.dtype());
    const DType dtype = compute_dtype(x.dtype());
    const Array loss = empty_loss(x, reduction, dtype);
    const Index items = SliceView(x.shape(), class_axis(x)).count();
    if (loss.is_meta()) {
        if (probabilities) check_probabilities(x, target);
        else class_indices("cross_entropy", x, target);
        return {cast(loss, x.dtype()), Array::empty({(probabilities ? 3 : 2) * items + 1}, dtype)};
    }
    Array kept;
    dispatch_real("cross_entropy", dtype, [&]<class T>() {
        const Saved<T> saved = Saved<T>::make(items, probabilities);
        if (probabilities) {
            forward_probabilities<T>(x, target, weight, reduction, smoothing, saved, loss);
        } else {
            forward_indices<T>(x, target, weight, reduction, ignore_index, smoothing, saved, loss);
        }
        kept = saved.array;
    });
    return {cast(loss, x.dtype()), kept};
}

template <class T>
void backward_indices(const Array& x, const Array& target, const std::optional<Array>& weight,
                      Index ignore_index, double smoothing, const Saved<T>& saved,
                      const Dense<T, true>& upstream, const ItemGrad<T>& grad, const Array& result) {
    const SliceView view(x.shape(), class_axis(x));
    const SliceCut cut(view);
    const Dense<T, true> logits(x), weights(weight);
    const Array indices = class_indices("cross_entropy_backward", x, target);
    const Classes<T> classes{indices.data<Index>(), weights.data, view.n, ignore_index};
    const auto& loops = softmax_table().get<T>();
    const T keep = T(1 - smoothing), spread = T(smoothing / double(view.n));
    const auto mass_of_classes = [=, n = view.n] {
        T mass = 0;
        for (Index c = 0; smoothing > 0 && c < n; ++c) mass += spread * classes.weight_of(c);
        return mass;
    };
    T* const dx = result.address_of<T>();
    const T *const maxima = saved.max, *const log_sums = saved.log_sum;
    const auto block_of = [=, &loops, from = logits.data, shares = weights.data](
                              T mass, const SliceBlock& block) {
        const Index first = block.first, count = block.slices.count;
        T factor[SliceCut::kMaxSlices], scale[SliceCut::kMaxSlices];
        for (Index i = 0; i < count; ++i) {
            const Index c = classes[first + i];
            const bool counts = c != Classes<T>::kIgnored;
            factor[i] = counts ? grad[first + i] : T(0);
            scale[i] = counts ? factor[i] * (keep * classes.weight_of(c) + mass) : T(0);
        }
        if (smoothing > 0) {
            loops.shares(block.slices, nullptr, shares, keep, spread, factor, dx + block.start);
        }
        loops.scaled_softmax(block.slices, from + block.start, maxima + first, log_sums + first,
                             scale, dx + block.start, smoothing > 0);
        for (Index i = 0; i < count; ++i) {
            const Index c = classes[first + i];
            if (c == Classes<T>::kIgnored) continue;
            const Index at = block.start + i * block.item_stride() + c * block.slices.class_stride;
            dx[at] -= factor[i] * keep * classes.weight_of(c);
        }
    };
    const Touches touches{&logits.array, &weights.array, &indices, &saved.array, &upstream.array,
                          &result};
    if (cut.tasks() <= 1) {
        classes.check_all(view.count());
        return launch(double(x.numel()) * kSecondsPerElement, touches, [=] {
            const T mass = mass_of_classes();
            cut.run_here([&](Index, const SliceBlock& block) { block_of(mass, block); });
        });
    }
    wait_for(touches);
    const T mass = mass_of_classes();
    cut.run(kSecondsPerElement, [&](Index, const SliceBlock& block) { block_of(mass, block); });
}

template <class T>
void backward_probabilities(const Array& x, const Array& target,
                            const std::optional<Array>& weight, double smoothing,
                            const Saved<T>& saved, const ItemGrad<T>& grad, T* dx) {
    check_probabilities(x, target);
    const SliceView view(x.shape(), class_axis(x));
    const Dense<T> logits(x), weights(weight), given(target);
    const auto& loops = softmax_table().get<T>();
    const T keep = T(1 - smoothing), spread = T(smoothing / double(view.n));
    SliceCut(view).run(kSecondsPerElement, [&](Index, const SliceBlock& block) {
        const Index first = block.first, count = block.slices.count;
        T factor[SliceCut::kMaxSlices], scale[SliceCut::kMaxSlices];
        for (Index i = 0; i < count; ++i) {
            factor[i] = grad[first + i];
            scale[i] = factor[i] * saved.mass[first + i];
        }
        loops.shares(block.slices, given.data + block.start, weights.data, keep, spread, factor,
                     dx + block.start);
        loops.scaled_softmax(block.slices, logits.data + block.start, saved.max + first,
                             saved.log_sum + first, scale, dx + block.start, true);
    });
}

// The gradient of the logits.
// `grads` of the two results of cross_entropy, of which the second has none.
Array cross_entropy_backward(const std::pair<Array, std::optional<Array>>& grads, const Array& x,
                             const Array& target, const std::optional<Array>& weight,
                             const std::pair<Array, Array>& result, int reduction,
                             Index ignore_index, double smoothing) {
    const auto& [grad, none] = grads;
    const auto& [loss, saved_array] = result;
    check_input("cross_entropy_backward", x, weight);
    const Array dx = Array::empty(x.shape(), compute_dtype(x.dtype()));
    const bool probabilities = is_floating(target.dtype());
    const Index items = SliceView(x.shape(), class_axis(x)).count();
    const Index expected = (probabilities ? 3 : 2) * items + 1;
    check(saved_array.dtype() == dx.dtype() && saved_array.numel() == expected,
          "cross_entropy_backward: the saved values are not those of this input and target");
    check(grad.numel() == (reduction == kNone ? items : 1),
          "cross_entropy_backward: a gradient of shape ", grad.shape(), " does not fit the loss");
    if (dx.is_meta()) return cast(dx, x.dtype());
    dispatch_real("cross_entropy_backward", dx.dtype(), [&]<class T>() {
        const Saved<T> saved(saved_array, items);
        const Dense<T, true> upstream(grad);
        const ItemGrad<T> item_grad{upstream.data, reduction == kMean ? saved.total_weight : nullptr,
                                    reduction == kNone};
        if (dx.nothing_to_compute()) return;
        if (probabilities) {
            wait_for(Touches{&upstream.array, &saved.array});
            backward_probabilities(x, target, weight, smoothing, saved, item_grad, dx.data<T>());
        } else {
            backward_indices(x, target, weight, ignore_index, smoothing, saved, upstream, item_grad,
                             dx);
        }
    });
    return cast(dx, x.dtype());
}

// ---- negative log-likelihood

constexpr Index kItemsPerTask = 4096;

// Calls f(task, item, place of the item's first class) for every item.
template <class F>
void for_items(const SliceView& view, F&& f) {
    const Index items = view.count();
    const Index tasks = (items + kItemsPerTask - 1) / kItemsPerTask;
    const auto run = [&](Index task) {
        const Index stop = std::min(items, (task + 1) * kItemsPerTask);
        for (Index item = task * kItemsPerTask; item < stop; ++item) {
            f(task, item, item / view.inner * view.n * view.inner + item % view.inner);
        }
    };
    if (tasks == 1) return run(0);
    parallel_for(tasks, double(kItemsPerTask) * kSecondsPerItem, run);
}

// The loss and the total weight of the items that count.
std::pair<Array, Array> nll_loss(const Array& x, const Array& target,
                                 const std::optional<Array>& weight, int reduction,
                                 Index ignore_index) {
    check_input("nll_loss", x, weight);
    const DType dtype = compute_dtype(x.dtype());
    const Array loss = empty_loss(x, reduction, dtype);
    const Array total_weight = Array::empty({}, dtype);
    if (loss.is_meta()) {
        class_indices("nll_loss", x, target);
        return {cast(loss, x.dtype()), total_weight};
    }
    dispatch_real("nll_loss", dtype, [&]<class T>() {
        const SliceView view(x.shape(), class_axis(x));
        const Dense<T> logs(x), weights(weight);
        const Array indices = class_indices("nll_loss", x, target);
        const Classes<T> classes{indices.data<Index>(), weights.data, view.n, ignore_index};
        T* losses = loss.data<T>();
        TaskSums sums((view.count() + kItemsPerTask - 1) / kItemsPerTask);
        for_items(view, [&](Index task, Index item, Index at) {
            const Index c = classes[item];
            const bool counts = c != Classes<T>::kIgnored;
            const T w = counts ? classes.weight_of(c) : T(0);
            const T term = counts ? -w * logs.data[at + c * view.inner] : T(0);
            if (reduction == kNone) losses[item] = term;
            else sums.add(task, double(term), double(w));
        });
        *total_weight.data<T>() = T(sums.weight());
        if (reduction != kNone) {
            *losses = T(reduction == kMean ? sums.loss() / sums.weight() : sums.loss());
        }
    });
    return {cast(loss, x.dtype()), total_weight};
}

// The gradient of the log-probabilities, which have the given shape.
Array nll_loss_backward(const Array& grad, const Array& x, const Array& target,
                        const std::optional<Array>& weight, const Array& total_weight,
                        int reduction, Index ignore_index) {
    check_input("nll_loss_backward", x, weight);
    const Array dx = Array::zeros(x.shape(), compute_dtype(x.dtype()));
    const SliceView view(x.shape(), class_axis(x));
    check(grad.numel() == (reduction == kNone ? view.count() : 1),
          "nll_loss_backward: a gradient of shape ", grad.shape(), " does not fit the loss");
    if (dx.is_meta()) return cast(dx, x.dtype());
    dispatch_real("nll_loss_backward", dx.dtype(), [&]<class T>() {
        const Dense<T> weights(weight), upstream(grad), total(total_weight);
        const Array indices = class_indices("nll_loss_backward", x, target);
        const Classes<T> classes{indices.data<Index>(), weights.data, view.n, ignore_index};
        const ItemGrad<T> item_grad{upstream.data, reduction == kMean ? total.data : nullptr,
                                    reduction == kNone};
        T* out = dx.data<T>();
        for_items(view, [&](Index, Index item, Index at) {
            const Index c = classes[item];
            if (c == Classes<T>::kIgnored) return;
            out[at + c * view.inner] = -classes.weight_of(c) * item_grad[item];
        });
    });
    return cast(dx, x.dtype());
}

}  // namespace

void bind_element_loss(nanobind::module_& m);  // the family's other file, element_loss.cpp

void bind_loss(nanobind::module_& m) {
    using namespace nanobind::literals;
    bind_element_loss(m);
    const auto none = nanobind::none();
    m.def("cross_entropy", &cross_entropy, "x"_a, "target"_a, "weight"_a = none,
          "reduction"_a = 1, "ignore_index"_a = -100, "label_smoothing"_a = 0.0);
    m.def("cross_entropy_backward", &cross_entropy_backward, "grads"_a, "x"_a, "target"_a,
          "weight"_a.none(), "result"_a, "reduction"_a, "ignore_index"_a, "label_smoothing"_a);
    m.def("nll_loss", &nll_loss, "x"_a, "target"_a, "weight"_a = none, "reduction"_a = 1,
          "ignore_index"_a = -100);
    m.def("nll_loss_backward", &nll_loss_backward, "grad"_a, "x"_a, "target"_a, "weight"_a.none(),
          "total_weight"_a, "reduction"_a, "ignore_index"_a);
}

}  // namespace rushlight
