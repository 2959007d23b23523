// Connectionist temporal classification (Graves et al. 2006): the likelihood of label sequences
// under all their alignments with a longer sequence of class probabilities, and its gradient.
#include <cmath>
#include <limits>
#include <vector>

#include "bind/casters.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr double kSecondsPerCell = 15e-9;

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();  // the logarithm of probability 0

// log(e^a + e^b + e^c), where some or all may be -inf
template <class T>
T log_add(T a, T b, T c = kNever<T>) {
    const T top = std::max(a, std::max(b, c));
    if (top == kNever<T>) return top;
    return top + std::log(std::exp(a - top) + std::exp(b - top) + std::exp(c - top));
}

// The sizes of a batch, and where the labels of each item are.
struct Batch {
    Index steps = 0, items = 0, classes = 0, longest = 0;  // longest label sequence
    Index blank = 0;
    std::vector<Index> lengths, labels;         // of each item: steps, and number of labels
    std::vector<const Index*> first;            // its labels
    Array targets;

    Index states() const noexcept { return 2 * longest + 1; }
};

std::vector<Index> read_lengths(std::string_view name, const std::vector<Index>& lengths,
                                Index items) {
    check(Index(lengths.size()) == items, "ctc_loss: ", name, " must be of size batch_size, got ",
          lengths.size(), " for a batch of ", items);
    for (Index length : lengths)
        check(length >= 0, "ctc_loss: Expected ", name, " to be not negative, got ", length);
    return lengths;
}

Batch make_batch(const Array& log_probs, const Array& targets,
                 const std::vector<Index>& input_lengths,
                 const std::vector<Index>& target_lengths, Index blank) {
    check(log_probs.ndim() == 3, "ctc_loss: expected log_probs of shape (T, N, C), got ",
          log_probs.shape());
    check(targets.ndim() == 1 || targets.ndim() == 2,
          "ctc_loss: expected targets of shape (N, S) or (sum of target_lengths), got ",
          targets.shape());
    check(is_integral(targets.dtype()), "ctc_loss: targets must be integral, got ",
          name_of(targets.dtype()));
    Batch batch;
    batch.steps = log_probs.size(0);
    batch.items = log_probs.size(1);
    batch.classes = log_probs.size(2);
    batch.blank = blank;
    check(blank >= 0 && blank < batch.classes, "ctc_loss: blank must be in label range, got ",
          blank, " for ", batch.classes, " classes");
    batch.lengths = read_lengths("input_lengths", input_lengths, batch.items);
    batch.labels = read_lengths("target_lengths", target_lengths, batch.items);
    batch.targets = contiguous(cast(targets, DType::I64));
    const auto* label = batch.targets.data<Index>();
    Index place = 0;
    for (Index i = 0; i < batch.items; ++i) {
        const Index count = batch.labels[std::size_t(i)];
        check(batch.lengths[std::size_t(i)] <= batch.steps,
              "ctc_loss: Expected input_lengths to have value at most ", batch.steps,
              ", but got value ", batch.lengths[std::size_t(i)]);
        const bool rows = targets.ndim() == 2;
        check(rows ? targets.size(0) == batch.items && count <= targets.size(1)
                   : place + count <= targets.size(0),
              "ctc_loss: targets of shape ", targets.shape(), " do not hold the ", count,
              " labels of item ", i);
        batch.first.push_back(label + (rows ? i * targets.size(1) : place));
        for (Index s = 0; s < count; ++s) {
            const Index c = batch.first.back()[s];
            check(c >= 0 && c < batch.classes, "ctc_loss: target ", c, " of item ", i,
                  " is not one of the ", batch.classes, " classes");
        }
        place += count;
        batch.longest = std::max(batch.longest, count);
    }
    check(targets.ndim() == 2 || place == targets.size(0), "ctc_loss: targets hold ",
          targets.size(0), " labels, target_lengths sum to ", place);
    return batch;
}

// One item: its labels with blanks between and around them are the states of an automaton.
template <class T>
struct Item {
    const Batch& batch;
    Index number;
    const T* log_probs;  // of the whole batch
    Index steps = batch.lengths[std::size_t(number)];
    Index labels = batch.labels[std::size_t(number)];
    Index states = 2 * labels + 1;

    Index label(Index state) const {
        return state % 2 ? batch.first[std::size_t(number)][state / 2] : batch.blank;
    }
    // Whether the blank between a state and the label before it may be left out.
    bool may_skip(Index state) const {
        return state % 2 && state > 1 && label(state) != label(state - 2);
    }
    T log_prob(Index t, Index c) const {
        return log_probs[(t * batch.items + number) * batch.classes + c];
    }
};

// alpha[t][s]: the log-probability of all ways to be in state s after step t. Returns minus the
// log-probability of the label sequence.
template <class T>
T run_forward(const Item<T>& item, T* alpha) {
    const Index width = item.batch.states();
    std::fill(alpha, alpha + item.batch.steps * width, kNever<T>);
    if (item.steps == 0) return item.labels == 0 ? T(0) : -kNever<T>;
    alpha[0] = item.log_prob(0, item.batch.blank);
    if (item.labels > 0) alpha[1] = item.log_prob(0, item.label(1));
    for (Index t = 1; t < item.steps; ++t) {
        const T* before = alpha + (t - 1) * width;
        T* now = alpha + t * width;
        for (Index s = 0; s < item.states; ++s) {
            const T step = s > 0 ? before[s - 1] : kNever<T>;
            const T skip = item.may_skip(s) ? before[s - 2] : kNever<T>;
            now[s] = log_add(before[s], step, skip) + item.log_prob(t, item.label(s));
        }
    }
    const T* last = alpha + (item.steps - 1) * width;
    const T label_end = item.labels > 0 ? last[item.states - 2] : kNever<T>;
    return -log_add(last[item.states - 1], label_end);
}

// The gradient of the logits whose log_softmax the log_probs are, which is what PyTorch returns
// too: probability minus the share of the alignments that have the class at this step.
template <class T>
void run_backward(const Item<T>& item, const T* alpha, T loss, T grad, T* beta, T* out) {
    const Index width = item.batch.states(), classes = item.batch.classes;
    const auto row = [&](Index t) { return out + (t * item.batch.items + item.number) * classes; };
    for (Index t = 0; t < item.batch.steps; ++t) {
        std::fill(row(t), row(t) + classes, t < item.steps ? kNever<T> : T(0));
    }
    // beta[s], as alpha but from step t to the end; held for one step at a time.
    std::vector<T> later(std::size_t(width), kNever<T>);
    for (Index t = item.steps - 1; t >= 0; --t) {
        std::copy(beta, beta + width, later.begin());
        for (Index s = 0; s < item.states; ++s) {
            T ways;
            if (t == item.steps - 1) {
                ways = s >= item.states - 2 ? T(0) : kNever<T>;
            } else {
                const T step = s + 1 < item.states ? later[std::size_t(s + 1)] : kNever<T>;
                const bool skips = s + 2 < item.states && item.may_skip(s + 2);
                ways = log_add(later[std::size_t(s)], step,
                               skips ? later[std::size_t(s + 2)] : kNever<T>);
            }
            beta[s] = ways + item.log_prob(t, item.label(s));
            T& sum = row(t)[item.label(s)];
            sum = log_add(sum, alpha[t * width + s] + beta[s]);
        }
        for (Index c = 0; c < classes; ++c) {
            const T log_prob = item.log_prob(t, c);
            row(t)[c] = (std::exp(log_prob) - std::exp(row(t)[c] + loss - log_prob)) * grad;
        }
    }
}

DType compute_dtype(std::string_view what, const Array& log_probs) {
    check_as(ErrorKind::NotImplemented, is_floating(log_probs.dtype()), what,
             ": not implemented for ", name_of(log_probs.dtype()));
    return is_half(log_probs.dtype()) ? DType::F32 : log_probs.dtype();
}

// Minus the log-likelihood of each item, and the table of alphas.
std::pair<Array, Array> ctc_loss(const Array& log_probs, const Array& targets,
                                 const std::vector<Index>& input_lengths,
                                 const std::vector<Index>& target_lengths, Index blank) {
    const DType dtype = compute_dtype("ctc_loss", log_probs);
    const Batch batch = make_batch(log_probs, targets, input_lengths, target_lengths, blank);
    const Array losses = Array::empty({batch.items}, dtype);
    const Array table = Array::empty({batch.items, batch.steps, batch.states()}, dtype);
    const Array dense = contiguous(cast(log_probs, dtype));
    dispatch_real("ctc_loss", dtype, [&]<class T>() {
        const T* from = dense.data<T>();
        T *loss = losses.data<T>(), *alpha = table.data<T>();
        const Index cells = batch.steps * batch.states();
        parallel_for(batch.items, double(cells) * kSecondsPerCell, [&](Index i) {
            loss[i] = run_forward(Item<T>{batch, i, from}, alpha + i * cells);
        });
    });
    return {cast(losses, log_probs.dtype()), table};
}

Array ctc_loss_backward(const Array& grad, const Array& log_probs, const Array& targets,
                        const std::vector<Index>& input_lengths,
                        const std::vector<Index>& target_lengths, const Array& losses,
                        const Array& table, Index blank, bool zero_infinity) {
    const DType dtype = compute_dtype("ctc_loss_backward", log_probs);
    const Batch batch = make_batch(log_probs, targets, input_lengths, target_lengths, blank);
    const Array result = Array::empty(log_probs.shape(), dtype);
    const Array dense = contiguous(cast(log_probs, dtype));
    const Array upstream = contiguous(cast(grad, dtype)), kept = contiguous(cast(losses, dtype));
    const Index cells = batch.steps * batch.states();
    check(upstream.numel() == batch.items && kept.numel() == batch.items &&
              table.numel() == batch.items * cells,
          "ctc_loss_backward: the saved values are not those of these inputs");
    dispatch_real("ctc_loss_backward", dtype, [&]<class T>() {
        const T *from = dense.data<T>(), *g = upstream.data<T>(), *loss = kept.data<T>();
        const T* alpha = table.data<T>();
        T* out = result.data<T>();
        parallel_for(batch.items, 3 * double(cells) * kSecondsPerCell, [&](Index i) {
            if (zero_infinity && std::isinf(loss[i])) {
                for (Index t = 0; t < batch.steps; ++t) {
                    T* row = out + (t * batch.items + i) * batch.classes;
                    std::fill(row, row + batch.classes, T(0));
                }
                return;
            }
            std::vector<T> beta(std::size_t(batch.states()), kNever<T>);
            run_backward(Item<T>{batch, i, from}, alpha + i * cells, loss[i], g[i], beta.data(),
                         out);
        });
    });
    return cast(result, log_probs.dtype());
}

}  // namespace

void bind_ctc(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("ctc_loss", &ctc_loss, "log_probs"_a, "targets"_a, "input_lengths"_a,
          "target_lengths"_a, "blank"_a);
    m.def("ctc_loss_backward", &ctc_loss_backward, "grad"_a, "log_probs"_a, "targets"_a,
          "input_lengths"_a, "target_lengths"_a, "losses"_a, "table"_a, "blank"_a,
          "zero_infinity"_a);
}

}  // namespace rushlight
