// backward(): walks recorded operations in reverse order of their creation.
#pragma once

#include <vector>

#include "tape/python.h"

namespace rushlight {

// Roots and inputs are tensors or places in the graph: tuples (node or leaf, number of the output).
// Gradients of `roots` (with `gradients` as their own) flow back. With `inputs` empty they are
// accumulated into the leaves' .grad; otherwise they are returned, one per input (empty: unused).
std::vector<PyRef> run_backward(const std::vector<PyRef>& roots,
                                const std::vector<PyRef>& gradients,
                                const std::vector<PyRef>& inputs, bool keep_graph,
                                bool create_graph, bool accumulate);

// backward() of one real number, as losses are, into the leaves' .grad; the graph is freed. Returns
// false where it is something else, and does nothing.
bool backward_of_loss(PyObject* loss);

// For hooks: the number of the pass that calls them (0: none does), and whether that pass brings a
// gradient to a node or leaf.
std::uint64_t current_backward();
bool backward_reaches(PyObject* target);

// Whether the roots' history leads to a leaf that somebody may still ask about.
bool reaches_open_leaf(const std::vector<PyRef>& roots);

}  // namespace rushlight
