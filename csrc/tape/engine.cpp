// The engine. A node is created after the nodes it takes its inputs from, so visiting nodes by
// falling number of creation visits each one after everything that it sends values to: no counts of
// uses are needed. Nothing recurses, so graphs may be of any depth.
#include "tape/engine.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "elementwise/layout.h"
#include "elementwise/pending.h"
#include "elementwise/shapes.h"
#include "tape/node.h"
#include "tape/values.h"

namespace rushlight {

namespace {

bool has_hooks(PyObject* hooks) {
    return hooks && PyDict_Check(hooks) && PyDict_GET_SIZE(hooks) > 0;
}

// Of a tensor, or of a place in the graph: a tuple (node or leaf, number of the output).
Edge edge_of(const PyRef& place) {
    if (!PyTuple_Check(place.get())) return edge_to(as_tensor(place.get()));
    return {PyRef::borrow(PyTuple_GET_ITEM(place.get(), 0)),
            std::uint32_t(PyLong_AsUnsignedLong(PyTuple_GET_ITEM(place.get(), 1)))};
}

// Where a gradient is kept for its leaf: in the leaf's own strides, so that both are walked alike.
Dims strides_of_grad(const Array& leaf) {
    return is_dense(leaf) ? leaf.strides() : contiguous_strides(leaf.shape());
}

bool lies_as_grad(const Array& array, const Array& leaf) {
    if (leaf.is_contiguous()) return array.is_contiguous();
    const Dims strides = strides_of_grad(leaf);
    for (int d = 0; d < array.ndim(); ++d)
        if (array.size(d) != 1 && array.stride(d) != strides[d]) return false;
    return true;
}

}  // namespace

// One call of backward(): the nodes that wait, and the gradients that have arrived at them.
class BackwardRun {
public:
    BackwardRun(bool keep_graph, bool create_graph)
        : keep_graph_(keep_graph), create_graph_(create_graph) {}
    BackwardRun(const BackwardRun&) = delete;
    BackwardRun& operator=(const BackwardRun&) = delete;
    ~BackwardRun() {
        for (auto& ready : heap_) release_buffer(as_node(ready.node.get()));
    }

    // Only the gradients of these are wanted.
    void capture(const std::vector<PyRef>& roots, const std::vector<PyRef>& inputs) {
        capturing_ = true;
        captured_.resize(inputs.size());
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            Edge edge = edge_of(inputs[i]);
            captures_[edge.target.get()].push_back({edge.output_nr, i});
            held_.push_back(edge.target);
        }
        find_needed(roots);
    }

    void start(const PyRef& root, PyRef gradient) {
        const PyObject* leveled = PyTuple_Check(root.get()) ? gradient.get() : root.get();
        level_ = std::max<std::uint32_t>(
            level_, reinterpret_cast<const TensorObject*>(leveled)->level);
        on_meta_ |= as_tensor(gradient.get())->array.is_meta();
        Edge edge = edge_of(root);
        roots_.push_back(edge.target);
        send(edge, std::move(gradient));
    }

    std::vector<PyRef> run(bool accumulate) {
        Innermost innermost(this);
        std::optional<GradModeGuard> plain;
        std::optional<TapeGuard> leveled;
        if (modes.levels) leveled.emplace(level_, create_graph_);
        // Fused kernels compute, and nothing else; formulas made of ops know shapes too. What they
        // record is dropped.
        else plain.emplace(create_graph_ || on_meta_);
        const MetaGuard without_memory(on_meta_);
        while (!heap_.empty()) {
            std::pop_heap(heap_.begin(), heap_.end());
            PyRef node = std::move(heap_.back().node);
            heap_.pop_back();
            visit(as_node(node.get()));
        }
        finish_leaves(accumulate);
        return std::move(captured_);
    }

    // The pass that a hook is called by; null outside of one.
    static BackwardRun* current() { return current_; }
    std::uint64_t number() const { return number_; }

    // Whether a gradient arrives at a node or leaf in this pass.
    bool will_reach(PyObject* target) {
        if (capturing_) return needed_.count(target) || captures_.count(target);
        if (reached_.empty()) {
            std::vector<PyObject*> stack;
            const auto reach = [&](const PyRef& at) {
                if (at && reached_.insert(at.get()).second && is_node(at.get()))
                    stack.push_back(at.get());
            };
            for (const PyRef& root : roots_) reach(root);
            while (!stack.empty()) {
                const NodeObject* node = as_node(stack.back());
                stack.pop_back();
                for (const Edge& edge : node->edges) reach(edge.target);
            }
        }
        return reached_.count(target) > 0;
    }

private:
    struct Innermost {
        explicit Innermost(BackwardRun* run) : before(std::exchange(current_, run)) {}
        ~Innermost() { current_ = before; }
        BackwardRun* before;
    };
    struct Ready {
        std::uint64_t sequence;
        PyRef node;
        bool operator<(const Ready& other) const { return sequence < other.sequence; }
    };
    struct LeafSum {
        PyRef leaf, sum;
    };
    struct Capture {
        std::uint32_t output_nr;
        std::size_t index;
    };

    // ---- which nodes lead to the wanted inputs

    void find_needed(const std::vector<PyRef>& roots) {
        enum : char { kOpen, kNo, kYes };
        std::unordered_map<PyObject*, char> state;
        std::vector<PyObject*> stack;
        for (const PyRef& root : roots) {
            Edge edge = edge_of(root);
            if (edge.target) {
                held_.push_back(edge.target);
                stack.push_back(edge.target.get());
            }
        }
        while (!stack.empty()) {
            PyObject* at = stack.back();
            auto [entry, fresh] = state.try_emplace(at, kOpen);
            if (!fresh && entry->second != kOpen) {
                stack.pop_back();
                continue;
            }
            if (!is_node(at)) {
                entry->second = captures_.count(at) ? kYes : kNo;
                stack.pop_back();
                continue;
            }
            if (fresh) {
                for (const Edge& edge : as_node(at)->edges)
                    if (edge.target && !state.count(edge.target.get()))
                        stack.push_back(edge.target.get());
                continue;
            }
            bool leads = false;
            for (const Edge& edge : as_node(at)->edges) {
                if (!edge.target) continue;
                auto found = state.find(edge.target.get());
                leads |= found != state.end() && found->second == kYes;
                leads |= captures_.count(edge.target.get()) > 0;
            }
            state[at] = leads ? kYes : kNo;
            if (leads) needed_.insert(at);
            stack.pop_back();
        }
    }

    bool wanted(const Edge& edge) const {
        if (!edge.target) return false;
        if (!capturing_) return true;
        return needed_.count(edge.target.get()) || captures_.count(edge.target.get());
    }

    // ---- gradients on their way

    Gradients& buffer_of(NodeObject* node) {
        if (node->run == this) return node->incoming;
        if (node->run == nullptr) {
            node->run = this;
            node->incoming.resize(node->outputs.size());
            push(node);
            return node->incoming;
        }
        // Another pass (around us, or of another thread) is using the node's own buffer.
        auto [entry, fresh] = overflow_.try_emplace(node);
        if (fresh) {
            entry->second.resize(node->outputs.size());
            push(node);
        }
        return entry->second;
    }

    void push(NodeObject* node) {
        heap_.push_back({node->sequence, PyRef::borrow(as_object(node))});
        std::push_heap(heap_.begin(), heap_.end());
    }

    Gradients release_buffer(NodeObject* node) {
        Gradients gradients;
        if (node->run == this) {
            gradients = std::move(node->incoming);
            node->incoming.clear();
            node->run = nullptr;
        } else if (auto found = overflow_.find(node); found != overflow_.end()) {
            gradients = std::move(found->second);
            overflow_.erase(found);
        }
        return gradients;
    }

    // Whether the engine's own arithmetic has to be recorded, or be done on a batch or on what is
    // not strided.
    bool by_ops(const PyRef& gradient) const {
        const TensorObject* tensor = as_tensor(gradient.get());
        return create_graph_ || tensor->level || !is_strided(tensor);
    }

    // Sums, or takes over; a gradient that is part of a graph is added by the op.
    PyRef add(PyRef have, PyRef more) {
        if (!have) return more;
        if (by_ops(have) || by_ops(more))
            return PyRef::check(PyObject_CallFunctionObjArgs(callbacks().add.get(), have.get(),
                                                             more.get(), nullptr));
        const Operand operands[2] = {{as_tensor(have.get())->array, Scalar()},
                                     {as_tensor(more.get())->array, Scalar()}};
        static const int row = row_named("add");
        return PyRef::check(wrap(pointwise(row, operands)));
    }

    // Gradients get the shape and dtype of what they are the gradient of: broadcasting is undone
    // here, once, and not in each formula.
    PyRef fit(PyRef gradient, const Dims& shape, DType dtype, PyObject* from) {
        const Array& array = as_tensor(gradient.get())->array;
        if (array.shape() == shape && array.dtype() == dtype) return gradient;
        if (!(array.shape() == shape)) {
            if (!can_sum_to(array.shape(), shape)) [[unlikely]]
                fail(ErrorKind::Runtime, "backward: ", describe(from),
                     " returned a gradient of shape ", array.shape(), " for an input of shape ",
                     shape);
            if (by_ops(gradient)) {
                PyRef target = PyRef::check(dims_to_python(shape));
                gradient = PyRef::check(PyObject_CallFunctionObjArgs(
                    callbacks().sum_to.get(), gradient.get(), target.get(), nullptr));
            } else {
                gradient = PyRef::check(wrap(sum_to(array, shape)));
            }
        }
        const DType have = as_tensor(gradient.get())->array.dtype();
        if (have == dtype) return gradient;
        if (by_ops(gradient)) {
            PyRef target = PyRef::check(dtype_to_python(dtype));
            return PyRef::check(PyObject_CallFunctionObjArgs(callbacks().cast.get(), gradient.get(),
                                                             target.get(), nullptr));
        }
        return PyRef::check(wrap(cast(as_tensor(gradient.get())->array, dtype)));
    }

    static std::string describe(PyObject* node) {
        if (!node || !is_node(node)) return "the caller";
        return PyUnicode_AsUTF8(name_of(as_node(node)).get());
    }

    void send(const Edge& edge, PyRef gradient, PyObject* from = nullptr) {
        PyObject* target = edge.target.get();
        if (is_node(target)) {
            NodeObject* node = as_node(target);
            const OutputInfo& info = node->outputs[edge.output_nr];
            gradient = fit(std::move(gradient), info.shape, info.dtype, from);
            PyRef& slot = buffer_of(node)[edge.output_nr];
            slot = add(std::move(slot), std::move(gradient));
            return;
        }
        const Array& array = as_tensor(target)->array;
        gradient = fit(std::move(gradient), array.shape(), array.dtype(), from);
        if (PyRef* sum = sum_of(target)) {
            *sum = add(std::move(*sum), std::move(gradient));
        } else {
            leaves_.push_back({edge.target, std::move(gradient)});
        }
    }

    // What has arrived at a leaf; null: nothing yet. Few leaves are found faster without a table.
    PyRef* sum_of(PyObject* leaf) {
        if (leaves_.size() <= kFew) {
            for (LeafSum& known : leaves_)
                if (known.leaf.get() == leaf) return &known.sum;
            return nullptr;
        }
        for (; indexed_ < leaves_.size(); ++indexed_)
            leaf_index_.emplace(leaves_[indexed_].leaf.get(), indexed_);
        auto found = leaf_index_.find(leaf);
        return found == leaf_index_.end() ? nullptr : &leaves_[found->second].sum;
    }

    // ---- one node

    void visit(NodeObject* node) {
        Gradients gradients = release_buffer(node);
        if (has_hooks(node->pre_hooks))
            gradients = call_hooks(callbacks().run_pre_hooks, node, gradients, nullptr);
        if (capturing_) {
            if (auto found = captures_.find(as_object(node)); found != captures_.end())
                for (const Capture& capture : found->second)
                    captured_[capture.index] = gradients[capture.output_nr];
            if (!needed_.count(as_object(node))) return;
        }
        Flags needed;
        for (const Edge& edge : node->edges) needed.push_back(wanted(edge));
        Gradients results;
        const bool post = has_hooks(node->post_hooks);
        Gradients sent;
        if (post) sent = gradients;
        try {
            results = apply_node(node, std::move(gradients), needed);
            if (modes.anomaly && modes.check_nan) check_nan(node, results);
        } catch (...) {
            report(node);
            throw;
        }
        if (on_meta_ && !create_graph_)
            for (PyRef& result : results)
                if (result && is_tensor(result.get()))
                    result = PyRef::check(wrap(as_tensor(result.get())->array));
        if (post) results = call_hooks(callbacks().run_post_hooks, node, results, &sent);
        for (std::size_t i = 0; i < results.size(); ++i) {
            if (!needed[i]) continue;
            if (!results[i]) {  // nodes run also when no gradient reaches them, as hooks expect
                PyObject* target = node->edges[i].target.get();
                if (is_node(target)) buffer_of(as_node(target));
                continue;
            }
            if (!is_tensor(results[i].get())) [[unlikely]]
                fail(ErrorKind::Type, describe(as_object(node)),
                     ": expected a Tensor or None as gradient of input ", i, ", got ",
                     Py_TYPE(results[i].get())->tp_name);
            send(node->edges[i], std::move(results[i]), as_object(node));
        }
        if (!keep_graph_) release_saved(node);
    }

    Gradients call_hooks(const PyRef& caller, NodeObject* node, const Gradients& values,
                         const Gradients* more) {
        auto tuple_of = [](const Gradients& items) {
            PyRef all = PyRef::check(PyTuple_New(Py_ssize_t(items.size())));
            for (std::size_t i = 0; i < items.size(); ++i)
                PyTuple_SET_ITEM(all.get(), Py_ssize_t(i),
                                 Py_NewRef(items[i] ? items[i].get() : Py_None));
            return all;
        };
        PyRef first = tuple_of(values);
        PyRef second = more ? tuple_of(*more) : PyRef();
        PyRef returned = PyRef::check(PyObject_CallFunctionObjArgs(
            caller.get(), as_object(node), first.get(), second.get(), nullptr));
        Gradients results(values.size());
        for (std::size_t i = 0; i < results.size(); ++i) {
            PyObject* item = PyTuple_GetItem(returned.get(), Py_ssize_t(i));
            if (!item) throw PythonError();
            if (item != Py_None) results[i] = PyRef::borrow(item);
        }
        return results;
    }

    // ---- anomaly mode

    void check_nan(NodeObject* node, const Gradients& results) {
        static const int isnan = row_named("isnan");
        for (std::size_t i = 0; i < results.size(); ++i) {
            if (!results[i] || !is_tensor(results[i].get())) continue;
            const TensorObject* result = as_tensor(results[i].get());
            if (result->level || !is_strided(result) || result->array.is_meta())
                continue;  // no data to look at
            const Operand operands[1] = {{as_tensor(results[i].get())->array, Scalar()}};
            const Array found = pointwise(isnan, operands);
            const Array any = reduce(Reduction::Max, found, all_axes(found.ndim()), false, false,
                                     DType::Bool);
            if (found.numel() != 0 && *any.data<bool>())
                fail(ErrorKind::Runtime, "Function '", describe(as_object(node)),
                     "' returned nan values in its ", i, "th output.");
        }
    }

    void report(NodeObject* node) {
        if (!modes.anomaly || !callbacks().anomaly_report) return;
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyRef done = PyRef::steal(
            PyObject_CallOneArg(callbacks().anomaly_report.get(), as_object(node)));
        if (!done) PyErr_Clear();
        PyErr_Restore(type, value, trace);
    }

    // ---- leaves

    void finish_leaves(bool accumulate) {
        while (!leaves_.empty()) {
            SmallVector<LeafSum, kFew> leaves = std::move(leaves_);
            leaves_.clear();
            leaf_index_.clear();
            indexed_ = 0;
            for (auto& leaf : leaves) {
                TensorObject* tensor = as_tensor(leaf.leaf.get());
                if (!tensor->requires_grad) continue;  // detached since it was used
                PyRef gradient = std::move(leaf.sum);
                if (has_hooks(tensor->leaf_hooks))
                    gradient = PyRef::check(PyObject_CallFunctionObjArgs(
                        callbacks().run_leaf_hooks.get(), leaf.leaf.get(), gradient.get(),
                        nullptr));
                if (capturing_) {
                    auto found = captures_.find(leaf.leaf.get());
                    if (found == captures_.end()) continue;
                    for (const Capture& capture : found->second)
                        captured_[capture.index] = gradient;
                    if (!accumulate) continue;
                }
                accumulate_into(tensor, std::move(gradient));
                if (has_hooks(tensor->post_accumulate_hooks))
                    PyRef::check(PyObject_CallOneArg(callbacks().accumulated.get(),
                                                     leaf.leaf.get()));
            }
        }
    }

    void accumulate_into(TensorObject* leaf, PyRef gradient) {
        if (!leaf->grad) {
            if (!create_graph_ && !is_strided(as_tensor(gradient.get()))) {
                gradient = PyRef::check(PyObject_CallFunctionObjArgs(
                    callbacks().add_sparse.get(), Py_None, gradient.get(), nullptr));
            } else if (!by_ops(gradient)) {
                // Take the tensor over when nobody else can see it, else copy: two leaves must
                // not share a gradient.
                const Array& array = as_tensor(gradient.get())->array;
                const bool alone = Py_REFCNT(gradient.get()) == 1 &&
                                   array.body()->ref_count() == 1 + array.body()->pending_uses &&
                                   lies_as_grad(array, leaf->array) &&
                                   (array.is_pending() ||
                                    array.body()->storage->ref_count() == 1);
                if (!alone)
                    gradient = PyRef::check(wrap(clone(array, strides_of_grad(leaf->array))));
            }
            leaf->grad = gradient.release();
            return;
        }
        if (by_ops(gradient) || by_ops(PyRef::borrow(leaf->grad))) {
            const bool in_place = !create_graph_ && !as_tensor(gradient.get())->level;
            PyRef sum = in_place ? PyRef::check(PyObject_CallFunctionObjArgs(
                                       callbacks().add_sparse.get(), leaf->grad, gradient.get(),
                                       nullptr))
                                 : add(PyRef::borrow(leaf->grad), std::move(gradient));
            PyObject* old = std::exchange(leaf->grad, sum.release());
            Py_DECREF(old);
            return;
        }
        TensorObject* have = as_tensor(leaf->grad);
        const Operand operands[2] = {{have->array, Scalar()},
                                     {as_tensor(gradient.get())->array, Scalar()}};
        static const int row = row_named("add");
        assign(have->array, pointwise(row, operands));
    }

    static inline thread_local BackwardRun* current_ = nullptr;
    static inline std::uint64_t runs_ = 0;
    const std::uint64_t number_ = ++runs_;
    SmallVector<PyRef, 2> roots_;
    std::unordered_set<PyObject*> reached_;  // when somebody asks
    bool keep_graph_, create_graph_, capturing_ = false;
    bool on_meta_ = false;  // gradients have no memory
    std::uint32_t level_ = 0;  // of the tape that is walked
    std::vector<Ready> heap_;
    std::unordered_map<NodeObject*, Gradients> overflow_;
    static constexpr std::size_t kFew = 16;
    SmallVector<LeafSum, kFew> leaves_;
    std::unordered_map<PyObject*, std::size_t> leaf_index_;  // of the first `indexed_` leaves
    std::size_t indexed_ = 0;
    std::unordered_map<PyObject*, std::vector<Capture>> captures_;
    std::unordered_set<PyObject*> needed_;
    std::vector<PyRef> held_;
    std::vector<PyRef> captured_;
};

std::uint64_t current_backward() {
    return BackwardRun::current() ? BackwardRun::current()->number() : 0;
}

bool backward_reaches(PyObject* target) {
    return BackwardRun::current() && BackwardRun::current()->will_reach(target);
}

bool reaches_open_leaf(const std::vector<PyRef>& roots) {
    std::unordered_set<PyObject*> seen;
    std::vector<PyObject*> stack;
    std::vector<PyRef> held;
    for (const PyRef& root : roots) {
        Edge edge = edge_to(as_tensor(root.get()));
        if (!edge.target || !seen.insert(edge.target.get()).second) continue;
        stack.push_back(edge.target.get());
        held.push_back(edge.target);
    }
    while (!stack.empty()) {
        PyObject* at = stack.back();
        stack.pop_back();
        if (!is_node(at)) {
            if (!as_tensor(at)->settled) return true;
            continue;
        }
        for (const Edge& edge : as_node(at)->edges)
            if (edge.target && seen.insert(edge.target.get()).second)
                stack.push_back(edge.target.get());
    }
    return false;
}

std::vector<PyRef> run_backward(const std::vector<PyRef>& roots,
                                const std::vector<PyRef>& gradients,
                                const std::vector<PyRef>& inputs, bool keep_graph,
                                bool create_graph, bool accumulate) {
    BackwardRun run(keep_graph, create_graph);
    if (!inputs.empty()) run.capture(roots, inputs);
    for (std::size_t i = 0; i < roots.size(); ++i)
        run.start(roots[i], gradients[i]);
    return run.run(accumulate);
}

bool backward_of_loss(PyObject* loss) {
    TensorObject* root = as_tensor(loss);
    const DType dtype = root->array.dtype();
    if (!requires_grad(root) || root->array.ndim() != 0 || is_complex(dtype) || root->level ||
        !is_strided(root) || root->array.is_meta())
        return false;
    BackwardRun run(false, false);
    run.start(PyRef::borrow(loss), PyRef::check(wrap(Array::scalar(Scalar(1.0), dtype))));
    run.run(true);
    return true;
}

}  // namespace rushlight
