// What a mask over all elements of an array picks: read packed side by side, and written.
#pragma once

#include "kernels/axis_walk.h"
#include "kernels/mask_loops.h"

namespace rushlight {

inline constexpr Index kMaskBlock = 1 << 15;

// The flags of a mask (bool, or bytes that are not zero), side by side, and how many are set before
// each block of kMaskBlock of them, and in all.
struct Mask {
    explicit Mask(const Array& mask);

    Index count() const noexcept { return before.back(); }

    Array flags;
    const std::uint8_t* flag;
    std::vector<Index> before;
};

// The elements of x, which has the mask's shape, that it picks, in row-major order: (count,).
Array pack_masked(const Array& x, const Mask& mask);

// x[mask] = the elements of the contiguous `packed`, in row-major order; with `clear` zero
// elsewhere. There are at least as many as the mask picks. The caller has called prepare_write(x).
void spread_masked(const Array& x, const Mask& mask, const Array& packed, bool clear);

// x[mask] = the one element of `value`, of x's dtype. As above.
void fill_masked(const Array& x, const Array& mask, const Array& value);

}  // namespace rushlight
