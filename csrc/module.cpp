// rushlight._core: one line per family.
#include <nanobind/nanobind.h>

#include "array/error.h"
#include "tape/python.h"

namespace nb = nanobind;

namespace rushlight {

void add_dtypes(PyObject* module);
void add_tensor_type(PyObject* module);
void add_node_type(PyObject* module);
void add_op_type(PyObject* module);
void add_module_call_type(PyObject* module);
void add_storage_bytes(PyObject* module);
void bind_tape(nb::module_& m);
void bind_sequence(nb::module_& m);
void bind_arrays(nb::module_& m);
void bind_basic_index(nb::module_& m);
void bind_elementwise(nb::module_& m);
void bind_matmul(nb::module_& m);
void bind_index(nb::module_& m);
void bind_gather(nb::module_& m);
void bind_join(nb::module_& m);
void bind_sort(nb::module_& m);
void bind_scan(nb::module_& m);
void bind_select(nb::module_& m);
void bind_softmax(nb::module_& m);
void bind_loss(nb::module_& m);
void bind_group_norm(nb::module_& m);
void bind_norm(nb::module_& m);
void bind_attention(nb::module_& m);
void bind_embedding_bag(nb::module_& m);
void bind_sparse_product(nb::module_& m);
void bind_random(nb::module_& m);
void bind_optim(nb::module_& m);
void bind_clip(nb::module_& m);
void bind_histogram(nb::module_& m);
void bind_unique(nb::module_& m);
void bind_compare(nb::module_& m);
void bind_parts(nb::module_& m);
void bind_shuffle(nb::module_& m);
void bind_variance(nb::module_& m);
void bind_special(nb::module_& m);
void bind_cross(nb::module_& m);
void bind_ctc(nb::module_& m);
void bind_recurrent(nb::module_& m);
void bind_lapack(nb::module_& m);
void bind_batch_norm(nb::module_& m);
void bind_max_pool(nb::module_& m);
void bind_average_pool(nb::module_& m);
void bind_place_pool(nb::module_& m);
void bind_conv(nb::module_& m);
void bind_fold(nb::module_& m);
void bind_resample(nb::module_& m);
void bind_fft(nb::module_& m);
void bind_edge_pad(nb::module_& m);
void bind_grid_sample(nb::module_& m);
void bind_implicit_gradient(nb::module_& m);
void bind_runtime(nb::module_& m);

namespace {

NB_MODULE(_core, m) {
#ifdef NDEBUG
    // A library that puts a method on Tensor keeps all that its module names, past our end.
    nb::set_leak_warnings(false);
#endif
    nb::register_exception_translator([](const std::exception_ptr& error, void*) {
        try {
            std::rethrow_exception(error);
        } catch (const Error&) {
            set_python_error();
        } catch (const PythonError&) {
        }
    });
    add_dtypes(m.ptr());
    add_tensor_type(m.ptr());
    add_node_type(m.ptr());
    add_op_type(m.ptr());
    add_module_call_type(m.ptr());
    add_storage_bytes(m.ptr());
    bind_tape(m);
    bind_sequence(m);
    bind_arrays(m);
    bind_basic_index(m);
    bind_elementwise(m);
    bind_matmul(m);
    bind_index(m);
    bind_gather(m);
    bind_join(m);
    bind_sort(m);
    bind_scan(m);
    bind_select(m);
    bind_softmax(m);
    bind_loss(m);
    bind_group_norm(m);
    bind_norm(m);
    bind_attention(m);
    bind_embedding_bag(m);
    bind_sparse_product(m);
    bind_random(m);
    bind_optim(m);
    bind_clip(m);
    bind_histogram(m);
    bind_unique(m);
    bind_compare(m);
    bind_parts(m);
    bind_shuffle(m);
    bind_variance(m);
    bind_special(m);
    bind_cross(m);
    bind_ctc(m);
    bind_recurrent(m);
    bind_lapack(m);
    bind_batch_norm(m);
    bind_max_pool(m);
    bind_average_pool(m);
    bind_place_pool(m);
    bind_conv(m);
    bind_fold(m);
    bind_resample(m);
    bind_fft(m);
    bind_edge_pad(m);
    bind_grid_sample(m);
    bind_implicit_gradient(m);
    bind_runtime(m);
}

}  // namespace
}  // namespace rushlight
