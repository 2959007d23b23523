// Reading and writing the places that indices pick, one whole row for each: what indexing,
// index_select, index_add, embedding and their like have in common.
#pragma once

#include "kernels/axis_walk.h"

namespace rushlight {

// What one index adds to the offset of an element: it stands for axes [axis, axis + axes) of x.
struct Pick {
    int axis = 0;
    int axes = 1;
    Dims shape;
    std::vector<Index> offsets;  // in elements of x; one for each place of `shape`
};

// An integer index along one axis, contiguous int64, in range, or negative and in range when
// counted from the end. The caller has checked.
Pick pick_along(const Array& x, int axis, const Array& index);

// The result, in order of memory, is [before][picked][after][run]: element offsets into x, and a
// number of consecutive elements. An offset below zero in `picked` marks a row that is left out of
// writes.
struct PickPlan {
    Dims shape;
    std::vector<Index> before;
    std::vector<Index> picked;
    std::vector<Index> after;
    Index run = 1;
};

// Broadcasts the picks against each other and places the result's axes as PyTorch does: where the
// picks stand if they are neighbours, in front otherwise.
PickPlan plan_picks(const Array& x, std::vector<Pick> picks);

Array read_picks(const Array& x, const PickPlan& plan);

// x[plan] = values, or += values: of the plan's shape and contiguous, or one element for all. Rows
// that meet in one place are handled in their order in `picked`. The caller has called
// prepare_write(x).
void write_picks(const Array& x, const PickPlan& plan, const Array& values, bool accumulate);

}  // namespace rushlight
