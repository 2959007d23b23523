// Connectionist temporal classification (Graves et al. 2006): the likelihood of label sequences
// under all their alignments with a longer sequence of class probabilities, and its gradient.
#include <cmath>
#include <initializer_list>
#include <limits>
#include <vector>

#include "bind/casters.h"
#include "kernels/ctc_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr double kSecondsPerCell = 4e-9;

template <class T>
constexpr T kNever = -std::numeric_limits<T>::infinity();  // the logarithm of probability 0

// log(e^a + e^b), where one or both may be -inf
template <class T>
T log_add(T a, T b) {
    const T top = std::max(a, b);
    if (top == kNever<T>) return top;
    return top + std::log(std::exp(a - top) + std::exp(b - top));
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
    const T* log_probs_at(Index t) const {
        return log_probs + (t * batch.items + number) * batch.classes;
    }
    // The log-probabilities of the states' labels at a step.
    void read_states(Index t, T* log_prob) const {
        const T* from = log_probs_at(t);
        const Index* labels_here = batch.first[std::size_t(number)];
        const T blank = from[batch.blank];
        for (Index s = 0; s < labels; ++s) {
            log_prob[2 * s] = blank;
            log_prob[2 * s + 1] = from[labels_here[s]];
        }
        log_prob[states - 1] = blank;
    }
    // 0 for the states that may be reached past a blank, -inf for the others; two more at the end.
    std::vector<T> skips() const {
        std::vector<T> allowed(std::size_t(states + 2), kNever<T>);
        for (Index s = 0; s < states; ++s) {
            if (may_skip(s)) allowed[std::size_t(s)] = T(0);
        }
        return allowed;
    }
};

// A value for each state, with two that are never reached on either side.
template <class T>
class Row {
public:
    explicit Row(Index states) : values_(std::size_t(states + 4), kNever<T>) {}
    T* data() { return values_.data() + 2; }

private:
    std::vector<T> values_;
};

// alpha[t][s]: the log-probability of all ways to be in state s after step t. Returns minus the
// log-probability of the label sequence.
template <class T>
T run_forward(const Item<T>& item, T* alpha) {
    const Index width = item.batch.states();
    std::fill(alpha, alpha + item.batch.steps * width, kNever<T>);
    if (item.steps == 0) return item.labels == 0 ? T(0) : -kNever<T>;
    const std::vector<T> allowed = item.skips();
    std::vector<T> log_prob(std::size_t(item.states));
    Row<T> rows[2] = {Row<T>(item.states), Row<T>(item.states)};
    T *before = rows[0].data(), *now = rows[1].data();
    item.read_states(0, log_prob.data());
    std::copy_n(log_prob.data(), std::min<Index>(2, item.states), now);
    for (Index t = 0;;) {
        std::copy_n(now, item.states, alpha + t * width);
        if (++t == item.steps) break;
        std::swap(before, now);
        item.read_states(t, log_prob.data());
        ctc_table().get<T>().advance(item.states, before, before - 1, before - 2, allowed.data(),
                                     log_prob.data(), now);
    }
    const T* last = alpha + (item.steps - 1) * width;
    const T label_end = item.labels > 0 ? last[item.states - 2] : kNever<T>;
    return -log_add(last[item.states - 1], label_end);
}

// The gradient of the logits whose log_softmax the log_probs are, which is what PyTorch returns
// too: probability minus the share of the alignments that have the class at this step.
template <class T>
void run_backward(const Item<T>& item, const T* alpha, T loss, T grad, T* out) {
    const Index width = item.batch.states(), classes = item.batch.classes, states = item.states;
    const CtcLoops<T>& loops = ctc_table().get<T>();
    const auto row = [&](Index t) { return out + (t * item.batch.items + item.number) * classes; };
    for (Index t = item.steps; t < item.batch.steps; ++t) std::fill_n(row(t), classes, T(0));
    const std::vector<T> allowed = item.skips();
    std::vector<T> log_prob(static_cast<std::size_t>(states));
    std::vector<T> share(static_cast<std::size_t>(states));
    // beta[s], as alpha but from step t to the end; held for two steps at a time.
    Row<T> rows[2] = {Row<T>(states), Row<T>(states)};
    T *later = rows[0].data(), *beta = rows[1].data();
    for (Index t = item.steps - 1; t >= 0; --t) {
        item.read_states(t, log_prob.data());
        if (t == item.steps - 1) {
            for (Index s = std::max<Index>(0, states - 2); s < states; ++s) {
                beta[s] = log_prob[std::size_t(s)];
            }
        } else {
            loops.advance(states, later, later + 1, later + 2, allowed.data() + 2, log_prob.data(),
                          beta);
        }
        loops.shares(states, alpha + t * width, beta, log_prob.data(), loss, share.data());
        T* sums = row(t);
        std::fill_n(sums, classes, T(0));
        for (Index s = 0; s < states; ++s) sums[item.label(s)] += share[std::size_t(s)];
        loops.gradient(classes, item.log_probs_at(t), loss, grad, sums);
        std::swap(later, beta);
    }
}

// The logarithm of a sum of exponentials, with its derivative along a direction.
template <class T>
struct Dual {
    T value = kNever<T>, slope = T(0);
};

template <class T>
Dual<T> add_logs(std::initializer_list<Dual<T>> terms) {
    T top = kNever<T>;
    for (const Dual<T>& term : terms) top = std::max(top, term.value);
    if (top == kNever<T>) return {};
    T sum = 0, slope = 0;
    for (const Dual<T>& term : terms) {
        const T weight = std::exp(term.value - top);
        sum += weight;
        slope += weight * term.slope;
    }
    return {top + std::log(sum), slope / sum};
}

// The derivative of run_backward's result along a direction of the log_probs, times grad: the
// shares of alignments follow from one more forward and one more backward pass, of dual numbers.
// The matrix of second derivatives is symmetric, so this is its product from either side.
template <class T>
void run_second(const Item<T>& item, const T* direction, T loss, T grad, T* out) {
    const Index classes = item.batch.classes, states = item.states;
    const auto at = [&](Index t) { return (t * item.batch.items + item.number) * classes; };
    const auto skipped = [&](const Dual<T>* row, Index from, Index to) {
        return to < states && item.may_skip(to) ? row[from] : Dual<T>{};
    };
    for (Index t = item.steps; t < item.batch.steps; ++t) std::fill_n(out + at(t), classes, T(0));
    if (std::isinf(loss)) {
        for (Index t = 0; t < item.steps; ++t) {
            std::fill_n(out + at(t), classes, std::numeric_limits<T>::quiet_NaN());
        }
        return;
    }
    if (item.steps == 0) return;
    // Two states that are never reached on either side of a row.
    const Index width = states + 4;
    std::vector<Dual<T>> table(std::size_t(item.steps * width));
    const auto alpha = [&](Index t) { return table.data() + t * width + 2; };
    const auto emit = [&](Index t, Index s, Dual<T> before) {
        const Index place = at(t) + item.label(s);
        return Dual<T>{before.value + item.log_probs[place], before.slope + direction[place]};
    };
    for (Index s = 0; s < std::min<Index>(2, states); ++s) alpha(0)[s] = emit(0, s, {T(0), T(0)});
    for (Index t = 1; t < item.steps; ++t) {
        const Dual<T>* before = alpha(t - 1);
        for (Index s = 0; s < states; ++s) {
            const Dual<T> skip = skipped(before, s - 2, s);
            alpha(t)[s] = emit(t, s, add_logs<T>({before[s], before[s - 1], skip}));
        }
    }
    const Dual<T>* last = alpha(item.steps - 1);
    const Dual<T> total = add_logs<T>({last[states - 1], last[states - 2]});
    // beta leaves out the step itself, which alpha has.
    std::vector<Dual<T>> rows[2] = {std::vector<Dual<T>>(std::size_t(width)),
                                    std::vector<Dual<T>>(std::size_t(width))};
    Dual<T> *later = rows[0].data() + 2, *beta = rows[1].data() + 2;
    for (Index t = item.steps - 1; t >= 0; --t) {
        for (Index s = 0; s < states; ++s) {
            if (t == item.steps - 1) beta[s] = s + 2 < states ? Dual<T>{} : Dual<T>{T(0), T(0)};
            else beta[s] = add_logs<T>({later[s], later[s + 1], skipped(later, s + 2, s + 2)});
        }
        T* row = out + at(t);
        std::fill_n(row, classes, T(0));
        for (Index s = 0; s < states; ++s) {
            const Dual<T> here = alpha(t)[s];
            const T share = std::exp(here.value + beta[s].value - total.value);
            row[item.label(s)] += share * (here.slope + beta[s].slope - total.slope);
        }
        const T* log_prob = item.log_probs + at(t);
        for (Index c = 0; c < classes; ++c) {
            row[c] = grad * (std::exp(log_prob[c]) * direction[at(t) + c] - row[c]);
        }
        std::swap(later, beta);
        for (Index s = 0; s < states; ++s) later[s] = emit(t, s, later[s]);
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
            run_backward(Item<T>{batch, i, from}, alpha + i * cells, loss[i], g[i], out);
        });
    });
    return cast(result, log_probs.dtype());
}

// The derivative of ctc_loss_backward's result along a direction of the log_probs.
Array ctc_loss_second(const Array& direction, const Array& grad, const Array& log_probs,
                      const Array& targets, const std::vector<Index>& input_lengths,
                      const std::vector<Index>& target_lengths, const Array& losses, Index blank,
                      bool zero_infinity) {
    const DType dtype = compute_dtype("ctc_loss_second", log_probs);
    const Batch batch = make_batch(log_probs, targets, input_lengths, target_lengths, blank);
    const Array result = Array::empty(log_probs.shape(), dtype);
    const Array dense = contiguous(cast(log_probs, dtype));
    const Array along = contiguous(cast(direction, dtype));
    const Array upstream = contiguous(cast(grad, dtype)), kept = contiguous(cast(losses, dtype));
    check(along.numel() == dense.numel() && upstream.numel() == batch.items &&
              kept.numel() == batch.items,
          "ctc_loss_second: the saved values are not those of these inputs");
    dispatch_real("ctc_loss_second", dtype, [&]<class T>() {
        const T *from = dense.data<T>(), *to = along.data<T>(), *g = upstream.data<T>();
        const T* loss = kept.data<T>();
        T* out = result.data<T>();
        const double cells = double(batch.steps * batch.states());
        parallel_for(batch.items, 10 * cells * kSecondsPerCell, [&](Index i) {
            if (zero_infinity && std::isinf(loss[i])) {
                for (Index t = 0; t < batch.steps; ++t) {
                    std::fill_n(out + (t * batch.items + i) * batch.classes, batch.classes, T(0));
                }
                return;
            }
            run_second(Item<T>{batch, i, from}, to, loss[i], g[i], out);
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
    m.def("ctc_loss_second", &ctc_loss_second, "direction"_a, "grad"_a, "log_probs"_a, "targets"_a,
          "input_lengths"_a, "target_lengths"_a, "losses"_a, "blank"_a, "zero_infinity"_a);
}

}  // namespace rushlight
