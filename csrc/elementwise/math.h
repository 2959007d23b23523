// The scalar mathematics of the pointwise loops, overloaded for float and double, in
// rushlight::math. A loop `dst[i] = math::exp(a[i])` is vectorised by the compiler; math_float.h
// says how.
//
//   math_basic.h    bit views, mad, rounding, sqrt, fmod and remainder
//   math_float.h    the transcendental functions of float
//   math_double.h   those of double
//   math_special.h  what is built from them, inverse error functions, Bessel functions
//   math_gamma.h    gamma functions and their kin
#pragma once

#include "elementwise/math_basic.h"
#include "elementwise/math_double.h"
#include "elementwise/math_float.h"
#include "elementwise/math_gamma.h"
#include "elementwise/math_special.h"
