// Modes, callbacks and backward(), as Python sees them.
#include <nanobind/nanobind.h>

#include "bind/casters.h"
#include "tape/engine.h"
#include "tape/node.h"
#include "tape/op.h"
#include "tape/python.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace rushlight {

void bind_tape(nb::module_& m) {
    m.def("set_tensor_class", [](nb::handle type) {
        tensor_class = reinterpret_cast<PyTypeObject*>(Py_NewRef(type.ptr()));
    }, "type"_a);
    m.def("set_callbacks", [](const nb::kwargs& given) {
        Callbacks& all = callbacks();
        const std::pair<const char*, PyRef*> fields[] = {
            {"size_class", &all.size_class},           {"construct", &all.construct},
            {"add", &all.add},
            {"sum_to", &all.sum_to},                   {"cast", &all.cast},
            {"view_again", &all.view_again},           {"copy_slices", &all.copy_slices},
            {"run_pre_hooks", &all.run_pre_hooks},     {"run_post_hooks", &all.run_post_hooks},
            {"run_leaf_hooks", &all.run_leaf_hooks},   {"accumulated", &all.accumulated},
            {"accumulate_node", &all.accumulate_node}, {"anomaly_report", &all.anomaly_report},
            {"anomaly_trace", &all.anomaly_trace},     {"call_batched", &all.call_batched},
            {"call_each", &all.call_each},             {"batched_view", &all.batched_view},
            {"call_sparse", &all.call_sparse},         {"add_sparse", &all.add_sparse},
            {"call_meta", &all.call_meta},             {"is_meta_device", &all.is_meta_device},
            {"other_form", &all.other_form},           {"module_hooks", &all.module_hooks},
            {"module_failed", &all.module_failed},
            {"module_with_hooks", &all.module_with_hooks}};
        for (auto [key, value] : given) {
            bool known = false;
            for (auto& [name, field] : fields)
                if (nb::cast<std::string>(key) == name) {
                    *field = PyRef::borrow(nb::handle(value).ptr());
                    known = true;
                }
            check_as(ErrorKind::Value, known, "unknown callback ", nb::cast<std::string>(key));
        }
    });
    m.def("is_grad_enabled", [] { return modes.grad; },
          "Whether operations are recorded: False inside no_grad.");
    m.def("set_grad_enabled", [](bool on) { return std::exchange(modes.grad, on); }, "on"_a);
    m.def("is_inference_mode_enabled", [] { return modes.inference; },
          "Whether inference_mode is on.");
    m.def("set_inference", [](bool on) { return std::exchange(modes.inference, on); }, "on"_a);
    m.def("is_anomaly_enabled", [] { return modes.anomaly; }, "Whether anomaly mode is on.");
    m.def("is_anomaly_check_nan_enabled", [] { return modes.check_nan; },
          "Whether anomaly mode raises for the first nan of a backward.");
    m.def("set_anomaly", [](bool on, bool check_nan) {
        modes.anomaly = on;
        modes.check_nan = check_nan;
    }, "on"_a, "check_nan"_a);
    // Levels of vmap: how many are active, and which tapes do not record.
    m.def("vmap_levels", [] { return modes.levels; });
    m.def("set_vmap_levels", [](std::uint32_t levels) {
        return std::exchange(modes.levels, levels);
    }, "levels"_a);
    // (recording, muted tapes), and setting both: what a transform restores when it is done.
    m.def("tape_state", [] { return std::make_pair(modes.grad, modes.muted); });
    m.def("set_tape_state", [](bool grad, std::uint32_t muted) {
        modes.grad = grad;
        modes.muted = muted;
    }, "grad"_a, "muted"_a);
    m.def("note_refusal", &note_refusal);
    // Whether new tensors are on the meta device where no device is given.
    m.def("makes_meta", [] { return modes.makes_meta; });
    m.def("set_makes_meta", [](bool on) { return std::exchange(modes.makes_meta, on); }, "on"_a);
    m.def("reaches_open_leaf", [](nb::tuple roots) {
        std::vector<PyRef> all;
        for (nb::handle root : roots) all.push_back(PyRef::borrow(root.ptr()));
        return reaches_open_leaf(all);
    }, "roots"_a);
    m.def("set_saved_tensor_hooks", [](nb::handle list) {
        PyObject* old = std::exchange(modes.saved_tensor_hooks,
                                      list.is_none() ? nullptr : Py_NewRef(list.ptr()));
        Py_XDECREF(old);
    }, "hooks"_a.none());
    m.def("write_out", [](const std::string& name, nb::handle result, nb::handle out, bool exact) {
        return nb::steal(write_out(name, PyRef::borrow(result.ptr()), out.ptr(), exact).release());
    }, "name"_a, "result"_a, "out"_a, "exact"_a = false);
    m.def("backward_of_loss", [](nb::handle loss) {
        check_as(ErrorKind::Type, is_tensor(loss.ptr()), "backward_of_loss: takes a Tensor");
        return backward_of_loss(loss.ptr());
    },
          "loss"_a);
    m.def("current_backward", &current_backward);
    m.def("backward_reaches", [](nb::handle target) { return backward_reaches(target.ptr()); },
          "target"_a);
    // run_backward(roots, gradients, inputs, keep_graph, create_graph, accumulate)
    m.def("run_backward", [](nb::tuple roots, nb::tuple gradients, nb::tuple inputs,
                             bool keep_graph, bool create_graph, bool accumulate) {
        auto list = [](const nb::tuple& items) {
            std::vector<PyRef> all;
            for (nb::handle item : items) all.push_back(PyRef::borrow(item.ptr()));
            return all;
        };
        std::vector<PyRef> results = run_backward(list(roots), list(gradients), list(inputs),
                                                  keep_graph, create_graph, accumulate);
        nb::list out;
        for (PyRef& result : results)
            out.append(result ? nb::borrow(result.get()) : nb::none());
        return nb::tuple(out);
    });
}

}  // namespace rushlight
