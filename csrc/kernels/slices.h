// A tensor seen as (outer, n, inner) around the axis of its classes, and cut into blocks of slices
// for parallel work. The cut follows from the shape alone.
#pragma once

#include "array/launch.h"
#include "kernels/softmax_loops.h"
#include "runtime/parallel.h"

namespace rushlight {

struct SliceView {
    Index outer = 1, n = 1, inner = 1;

    SliceView(Index outer_, Index n_, Index inner_) : outer(outer_), n(n_), inner(inner_) {}
    SliceView(const Dims& shape, int axis) {
        for (int i = 0; i < shape.size(); ++i) {
            (i < axis ? outer : i == axis ? n : inner) *= shape[i];
        }
    }
    Index count() const noexcept { return outer * inner; }
};

struct SliceBlock {
    Index first;  // number of its first slice, counted over (outer, inner)
    Index start;  // place of that slice's first element
    Slices slices;

    Index item_stride() const noexcept { return slices.class_stride == 1 ? slices.n : 1; }
};

// Calls f(task, block) for the blocks of the view; blocks with the same task number follow each
// other on one thread. Returns the number of tasks.
class SliceCut {
public:
    static constexpr Index kMaxSlices = 1024;  // of one block

    explicit SliceCut(const SliceView& view) : view_(view) {
        if (view.count() == 0) return;
        const Index n = std::max<Index>(view.n, 1);
        const Index fitting = std::clamp<Index>(kBlock / n, 1, kMaxSlices);
        if (view.inner == 1) {
            per_block_ = fitting;
            blocks_ = (view.outer + fitting - 1) / fitting;
        } else {
            per_block_ = std::min(std::max<Index>(fitting, 64), view.inner);
            per_outer_ = (view.inner + per_block_ - 1) / per_block_;
            blocks_ = view.outer * per_outer_;
        }
        group_ = std::max<Index>(1, kBlock / (n * per_block_));
        tasks_ = (blocks_ + group_ - 1) / group_;
    }

    Index tasks() const noexcept { return tasks_; }

    template <class F>
    void run(double seconds_per_element, F&& f) const {
        if (tasks_ <= 1) return run_here(f);
        const double elements = double(view_.count()) * double(view_.n) / double(tasks_);
        parallel_for(tasks_, 100e-9 + elements * seconds_per_element,
                     [&](Index t) { run_task(t, f); });
    }
    // The same on arrays known by Array::address(): f is copied where it runs behind the caller.
    template <class F>
    void launch(double seconds_per_element, const Touches& touches, const F& f) const {
        if (tasks_ > 1) {
            wait_for(touches);
            return run(seconds_per_element, f);
        }
        const double elements = double(view_.count()) * double(view_.n);
        rushlight::launch(elements * seconds_per_element, touches,
                          [cut = *this, f] { cut.run_here(f); });
    }
    // All of it on this thread.
    template <class F>
    void run_here(F&& f) const {
        for (Index t = 0; t < tasks_; ++t) run_task(t, f);
    }

private:
    template <class F>
    void run_task(Index t, F&& f) const {
        const Index stop = std::min(blocks_, (t + 1) * group_);
        for (Index b = t * group_; b < stop; ++b) f(t, block(b));
    }

    static constexpr Index kBlock = 16384;  // elements of a task, about

    SliceBlock block(Index b) const noexcept {
        if (view_.inner == 1) {
            const Index first = b * per_block_;
            const Index count = std::min(per_block_, view_.outer - first);
            return {first, first * view_.n, {count, view_.n, 1}};
        }
        const Index outer = b / per_outer_, column = b % per_outer_ * per_block_;
        return {outer * view_.inner + column, outer * view_.n * view_.inner + column,
                {std::min(per_block_, view_.inner - column), view_.n, view_.inner}};
    }

    SliceView view_;
    Index per_block_ = 1, per_outer_ = 1, blocks_ = 0, group_ = 1, tasks_ = 0;
};

// The dtype that a half is computed in, or the dtype itself.
inline DType compute_dtype(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

}  // namespace rushlight
