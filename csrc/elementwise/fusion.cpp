// From pending expressions to passes: which of them run together, what is kept in memory and what
// is computed again.
#include <algorithm>

#include "elementwise/layout.h"
#include "elementwise/pass.h"
#include "elementwise/pending.h"
#include "elementwise/table.h"

namespace rushlight {

namespace {

Pending* g_oldest = nullptr;
Pending* g_newest = nullptr;
std::uint64_t g_order = 0;
std::uint64_t g_mark = 0;

// Whether anything but other pending expressions still refers to its value.
bool wanted_outside(const Pending& node) {
    return node.owner->ref_count() > node.owner->pending_uses;
}

constexpr int kCheap = 8;

bool expensive(const Pending& node) { return node.row >= 0 && row_info(node.row).expensive; }

// Whether an operand can be computed inside a loop over the space.
bool inside(const Array& array, const Dims& space) {
    return array.body()->pending->kind != Pending::Kind::Reduce && array.shape() == space;
}

bool is_pending(const Operand& input) { return input.array && input.array.is_pending(); }

// Runs what the expression needs but its loop cannot compute: reductions, other shapes.
void run_other_loops(Pending& root) {
    const Dims& space = root.space();
    for (bool again = true; again;) {
        again = false;
        const std::uint64_t mark = ++g_mark;
        std::vector<Pending*> stack{&root};
        while (!stack.empty() && !again) {
            Pending* node = stack.back();
            stack.pop_back();
            for (int i = 0; i < node->arity && !again; ++i) {
                if (!is_pending(node->inputs[i])) continue;
                const Array& input = node->inputs[i].array;
                if (!inside(input, space)) {
                    run_pending(*input.body());  // may change any expression: look again
                    again = true;
                } else if (Pending* next = input.body()->pending.get(); next->mark != mark) {
                    next->mark = mark;
                    stack.push_back(next);
                }
            }
        }
    }
}

// The pending expressions that one pass computes.
class Plan {
public:
    explicit Plan(Pending& root) : space_(root.space()) {
        run_other_loops(root);
        mark_ = ++g_mark;
        std::vector<Pending*> nodes;
        include(root, nodes);
        root.output = true;
        add_siblings(nodes);
        std::sort(nodes.begin(), nodes.end(),
                  [](const Pending* a, const Pending* b) { return a->order < b->order; });
        // What somebody will look at later is stored if it is dear to compute again.
        for (Pending* node : nodes) {
            node->cost = 1;
            for (int i = 0; i < node->arity; ++i)
                if (is_pending(node->inputs[i]))  // shared inputs count again: y + y doubles
                    node->cost = std::min(
                        node->cost + node->inputs[i].array.body()->pending->cost, 1 << 20);
            if (!node->output && wanted_outside(*node))
                node->output = expensive(*node) || node->cost > kCheap || node->computed_before;
            node->computed_before = true;
            if (node->output) node->cost = 0;
        }
        for (Pending* node : nodes)
            entries_.push_back({Ref<ArrayBody>(node->owner), Ref<Pending>(node)});
    }
    ~Plan() {
        for (auto& entry : entries_) entry.node->output = false;
    }

    // With `into`, the root's values are written there instead of to fresh memory.
    void run(const Array* into = nullptr) {
        Pass pass(space_);
        std::vector<std::pair<Entry*, Array>> results;
        for (auto& entry : entries_) {
            Pending& node = *entry.node;
            Array out;
            if (node.kind == Pending::Kind::Reduce) {
                out = Array::empty(node.owner->shape(), node.owner->dtype);
                pass.reduce(operand(pass, node, 0, node.calc), node.reduction, node.axes, node.mean,
                            out);
            } else {
                compute(pass, node);
                if (!node.output) continue;
                out = into ? *into
                           : empty_with_layout(node.owner->shape(), node.owner->strides(),
                                               node.owner->dtype);
                pass.keep(pass.convert(node.slot, node.owner->dtype, out.dtype()), out);
            }
            results.emplace_back(&entry, out);
        }
        pass.run();
        if (into) return;
        for (auto& [entry, out] : results) {
            ArrayBody& body = *entry->body;
            if (!body.pending) continue;  // another thread was faster
            body.storage = out.body()->storage;
            body.offset = 0;
            body.lay_out(body.shape(), out.strides());
            body.pending = {};
        }
    }

    bool includes(const Pending& node) const { return node.mark == mark_; }

    // Whether the root alone is computed, and reads `out`, if at all, at the element it writes.
    bool can_run_into(const Array& out) const {
        for (const auto& entry : entries_) {
            const Pending& node = *entry.node;
            if (node.output && &entry != &entries_.back()) return false;
            if (node.kind == Pending::Kind::Reduce) return false;
            for (int i = 0; i < node.arity; ++i) {
                const Array& input = node.inputs[i].array;
                if (input && !input.is_pending() &&
                    input.body()->storage == out.body()->storage &&
                    !(input.dtype() == out.dtype() && input.same_geometry(out)))
                    return false;
            }
        }
        return true;
    }

private:
    struct Entry {  // keeps both alive while the GIL may be released
        Ref<ArrayBody> body;
        Ref<Pending> node;
    };

    void include(Pending& root, std::vector<Pending*>& nodes) {
        std::vector<Pending*> stack{&root};
        root.mark = mark_;
        while (!stack.empty()) {
            Pending* node = stack.back();
            stack.pop_back();
            nodes.push_back(node);
            for (int i = 0; i < node->arity; ++i) {
                if (!is_pending(node->inputs[i])) continue;
                Pending* input = node->inputs[i].array.body()->pending.get();
                if (input->mark == mark_) continue;
                input->mark = mark_;
                stack.push_back(input);
            }
        }
    }

    // Expressions over the same space that use work of this pass and whose value somebody holds.
    void add_siblings(std::vector<Pending*>& nodes) {
        for (Pending* node = g_oldest; node; node = node->newer) {
            if (node->mark == mark_) {
                node->fits = node->shares = mark_;
                continue;
            }
            bool fits = node->space() == space_, shares = false;
            for (int i = 0; i < node->arity && fits; ++i) {
                if (!is_pending(node->inputs[i])) continue;
                const Array& input = node->inputs[i].array;
                const Pending& source = *input.body()->pending;
                fits = inside(input, space_) && source.fits == mark_;
                shares |= source.shares == mark_;
            }
            if (!fits) continue;
            node->fits = mark_;
            if (!shares) continue;
            node->shares = mark_;
            if (!wanted_outside(*node)) continue;
            include(*node, nodes);
            node->output = true;
        }
    }

    int operand(Pass& pass, const Pending& node, int i, DType calc) {
        const Operand& input = node.inputs[i];
        if (!input.array) return pass.constant(input.scalar, calc);
        const int slot = input.array.is_pending() ? input.array.body()->pending->slot
                                                  : pass.leaf(input.array);
        return pass.convert(slot, input.array.dtype(), calc);
    }

    void compute(Pass& pass, Pending& node) {
        if (node.kind == Pending::Kind::Cast) {
            node.slot = operand(pass, node, 0, node.calc);
            return;
        }
        const RowInfo& info = row_info(node.row);
        int sources[kMostOperands];
        for (int i = 0; i < node.arity; ++i) {
            const DType dtype = operand_dtype(node.row, i, node.inputs[i], node.calc);
            sources[i] = operand(pass, node, i, dtype);
        }
        node.slot = apply_row(pass, node.row, info, node.calc,
                              std::span(sources, std::size_t(node.arity)));
    }

    Dims space_;
    std::uint64_t mark_ = 0;
    std::vector<Entry> entries_;
};

}  // namespace

DType loop_dtype(int row, int i, DType calc) {
    return row == row_of<rows::Where> && i == 0 ? DType::Bool : calc;
}

DType operand_dtype(int row, int i, const Operand& operand, DType calc) {
    const bool number = !operand.array ||
                        (operand.array.ndim() == 0 && !is_half(operand.array.dtype()));
    const bool keeps_digits = number && i >= row_info(row).number && is_half(calc);
    return keeps_digits ? DType::F32 : loop_dtype(row, i, calc);
}

int apply_row(Pass& pass, int row, const RowInfo& info, DType calc, std::span<const int> sources) {
    const bool to_bool = info.rule == Rule::Compare || info.rule == Rule::Test;
    const Reg reg = reg_of(calc);
    const int slot = pass.apply(row, reg, to_bool ? Reg::Bool : reg, sources);
    return to_bool ? slot : pass.round(slot, calc);
}

Pending::Pending(ArrayBody& body, Kind k, std::span<const Operand> operands)
    : owner(&body), kind(k), arity(int(operands.size())), order(++g_order) {
    for (int i = 0; i < arity; ++i) {
        inputs[i] = operands[i];
        ArrayBody* input = inputs[i].array.body();
        if (!input) continue;
        ++input->pending_uses;
        if (input->pending) weight += input->pending->weight;
    }
    older = g_newest;
    (g_newest ? g_newest->newer : g_oldest) = this;
    g_newest = this;
}

Pending::~Pending() {
    (older ? older->newer : g_oldest) = newer;
    (newer ? newer->older : g_newest) = older;
    for (int i = 0; i < arity; ++i)
        if (ArrayBody* input = inputs[i].array.body()) --input->pending_uses;
}

int recount(Pending& root) {
    const std::uint64_t mark = ++g_mark;
    std::vector<Pending*> stack{&root};
    root.mark = mark;
    int count = 0;
    while (!stack.empty()) {
        Pending* node = stack.back();
        stack.pop_back();
        ++count;
        for (int i = 0; i < node->arity; ++i) {
            if (!is_pending(node->inputs[i])) continue;
            Pending* input = node->inputs[i].array.body()->pending.get();
            if (input->mark == mark) continue;
            input->mark = mark;
            stack.push_back(input);
        }
    }
    return root.weight = count;
}

void run_pending(ArrayBody& body) {
    if (!body.pending) return;
    const Ref<ArrayBody> keep_alive(&body);
    Plan(*body.pending).run();
}

namespace {

// The newest pending expression that reads the storage and is not part of the plan.
Pending* reader_of(const Storage& storage, const Plan* plan) {
    for (Pending* node = g_newest; node; node = node->older)
        for (int i = 0; i < node->arity; ++i) {
            const Array& input = node->inputs[i].array;
            if (input && !input.is_pending() && input.body()->storage.get() == &storage &&
                !(plan && plan->includes(*node)))
                return node;
        }
    return nullptr;
}

}  // namespace

void run_readers(const Storage& storage) {
    while (Pending* node = reader_of(storage, nullptr)) run_pending(*node->owner);
}

bool run_into(ArrayBody& body, const Array& out) {
    const Ref<ArrayBody> keep_alive(&body);
    while (body.pending) {
        if (body.pending->kind == Pending::Kind::Reduce || !(body.shape() == out.shape())) break;
        Plan plan(*body.pending);
        if (Pending* other = reader_of(out.storage(), &plan)) {
            run_pending(*other->owner);
            continue;
        }
        if (!plan.can_run_into(out)) break;
        plan.run(&out);
        return true;
    }
    run_pending(body);
    return false;
}

}  // namespace rushlight
