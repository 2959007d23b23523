// Functions of doubles applied to arrays of any real dtype, for what is too rare to be a row of the
// pointwise table.
#pragma once

#include <nanobind/nanobind.h>

#include "array/array.h"

namespace rushlight {

// f of each element; integers become the default float, half types are widened on the way.
Array map_double(double (*f)(double), const Array& x);
// f of each pair of the broadcast operands.
Array map_double(double (*f)(double, double), const Operand& a, const Operand& b);

void bind_polynomials(nanobind::module_& m);

}  // namespace rushlight
