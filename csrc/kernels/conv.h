// Convolutions and their gradients on raw memory: row-major (items, channels, spatial axes),
// weights (channels of the small side, channels of the big side of one group, kernel).
#pragma once

#include <atomic>
#include <memory>

#include "kernels/conv_plan.h"

namespace rushlight {

// How the channels of a group are cut into the widths that the loops have.
struct LaneBlock {
    Index first, valid, lanes, offset;  // offset: the lanes of all blocks before
};
std::vector<LaneBlock> cut_lanes(Index channels, Index narrowest, Index widest);

// A scratch block for each thread, made before the threads start.
class ScratchBlocks {
public:
    explicit ScratchBlocks(std::size_t bytes_each);

    class Lease {
    public:
        explicit Lease(ScratchBlocks& from);
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        std::byte* data() const noexcept { return data_; }

    private:
        ScratchBlocks& from_;
        std::size_t number_ = 0;
        std::byte* data_;
    };

private:
    std::size_t bytes_each_, count_;
    Array memory_;
    std::unique_ptr<std::atomic<bool>[]> taken_;
};

struct ConvTask {
    Index slab, first_group, end_group, first_block, end_block;
};

// Pieces of work: slabs, times ranges of groups, times ranges of lane blocks. By the shape alone.
struct ConvTasks {
    Index slabs, groups_each, group_ranges, blocks_each, block_ranges;

    ConvTasks(Index slabs, Index groups, Index blocks, double multiplications);
    Index total() const noexcept { return slabs * group_ranges * block_ranges; }
    ConvTask at(Index task, Index groups, Index blocks) const noexcept;
};

// Adds the sums over the rows of a matrix with contiguous rows of at most 64 columns to `sums`.
template <class T>
void add_columns(const T* x, Index rows, Index cols, double* sums);

constexpr double kSecondsPerMultiplication = 3e-11;

// y = x convolved with w (transposed: the way back), plus the bias of each channel if it is given.
// T is float, double or uint64_t.
template <class T>
void convolve(const ConvShape& shape, bool transposed, const T* x, const T* w, const T* bias, T* y);

// dw[s, b, tap] = sum over items and positions of small[s] * big[b], where the tap sees it; and if
// `sums` is given, the sums of `small` over items and positions. T is float or double.
template <class T>
void convolve_weight(const ConvShape& shape, const T* big, const T* small, T* dw, T* sums);

// The same for kernels as large as the image; false: this is none, and nothing was done.
template <class T>
bool convolve_whole(const ConvShape& shape, bool transposed, const T* x, const T* w, const T* bias,
                    T* y);
template <class T>
bool convolve_whole_weight(const ConvShape& shape, const T* big, const T* small, T* dw, T* sums);

}  // namespace rushlight
