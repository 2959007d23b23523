// 3x3 convolutions of stride 1 in float32 by way of winograd_loops.h. What is not finite comes out
// differently there (infinity minus infinity); the callers notice, and compute it directly.
#pragma once

#include "kernels/conv.h"

namespace rushlight {

// Whether the correlation is a 3x3 one for which that is faster.
bool suits_winograd(const Correlation& c);

// As convolve() and convolve_weight(). False: a result is not finite, and all of them are void.
bool winograd_convolve(const ConvShape& shape, const Correlation& c, bool transposed,
                       const float* x, const float* w, const float* bias, float* y);
bool winograd_weight(const ConvShape& shape, const float* big, const float* small, float* dw,
                     float* sums);

}  // namespace rushlight
