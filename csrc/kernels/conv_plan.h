// What a convolution is to the loops of conv_loops.h: for each position of the output a place in
// the padded image, for each tap of the kernel (and channel) a distance from there. Stride,
// dilation and transposition are nothing but other places.
#pragma once

#include <array>
#include <vector>

#include "array/array.h"

namespace rushlight {

// Sizes of up to three spatial axes; leading ones are 1.
using Axes = std::array<Index, 3>;

inline Index volume(const Axes& axes) { return axes[0] * axes[1] * axes[2]; }

// The sizes of a convolution from `big` to `small`; of a transposed one the way back.
struct ConvShape {
    Index items = 0, groups = 1;
    Index big_channels = 0, small_channels = 0;  // of one group
    Axes big{1, 1, 1}, small{1, 1, 1};
    Axes kernel{1, 1, 1}, stride{1, 1, 1}, padding{0, 0, 0}, dilation{1, 1, 1};

    double multiplications() const {
        return double(items) * double(groups) * double(big_channels) * double(small_channels) *
               double(volume(small)) * double(volume(kernel));
    }
};

struct Tap {
    Index number;  // in the kernel, row-major
    Axes at;       // in the padded image, from the position's own place
};

// Positions of the output that see the same taps: all of them, or for a transposed convolution
// those of one remainder modulo the stride.
struct Phase {
    Axes start, count;
    std::vector<Tap> taps;
};

// A correlation of padded images: position q of a phase lies at `start + q * out_step` of the
// output and at `q * in_step` of the padded image.
struct Correlation {
    Index items, groups;
    Index depth, lanes;  // channels of one group: those summed over, and those of the output
    Axes in, out;
    Axes before;  // zeros before the image; negative: so much of it is never seen
    Axes reach;   // the farthest tap
    Axes count;   // the most positions of any phase
    Axes in_step, out_step;
    std::vector<Phase> phases;
};

Correlation forward_correlation(const ConvShape& shape);
Correlation transposed_correlation(const ConvShape& shape);

// How many items, or rows of one item's positions, are worked on at a time.
struct Slabs {
    Index items_each = 1;
    int band_axis = 0;  // the outermost axis of more than one position
    Index band = 1;     // positions along it
    Index bands = 1;    // of one item; 1 if there are several items
    Index total = 0;
};

struct Slab {
    Index item, items;
    Index band_start, band;
};

// What a slab may take of the second-level cache.
struct SlabLimits {
    Index image_bytes = 256 << 10;
    Index positions = 1024;     // each has a row of results
    Index few_positions = 512;  // items of fewer are put together
};

Slabs cut_slabs(const Correlation& c, std::size_t itemsize, const SlabLimits& limits = {});
Slab slab_at(const Correlation& c, const Slabs& slabs, Index index);

// The image of one group of a slab, padded, as the loops see it. Without padding it is the input
// itself.
class PaddedImage {
public:
    // `split`: rows are taken apart by their remainder modulo the step, so that the numbers that
    // adjacent positions see are adjacent.
    PaddedImage(const Correlation& c, const Slabs& slabs, bool split, bool may_be_input);

    bool is_input() const noexcept { return is_input_; }
    Index scratch_size() const noexcept { return is_input_ ? 0 : slabs_items_ * item_pitch_; }

    Index row_pitch() const noexcept { return pitch_[1]; }
    Index channel_pitch() const noexcept { return channel_pitch_; }
    Index item_pitch() const noexcept { return item_pitch_; }

    // Places of the positions of a phase in a full slab: items, then rows. A smaller slab has the
    // first of them.
    std::vector<Index> places(const Phase& phase, const Slabs& slabs) const;
    // Distances of (channel, tap).
    std::vector<Index> distances(const Phase& phase) const;

    // The first number of the slab's image: within `input`, or in `scratch`, which it fills.
    template <class T>
    const T* make(const T* input, const Slab& slab, Index group, T* scratch) const;

private:
    template <class T>
    void split_row(const T* row, Index begin, Index end, T* to) const;

    const Correlation& c_;
    bool is_input_ = false;
    int band_axis_;
    Index slabs_items_;
    Index split_ = 1;  // remainders a row is taken apart into
    Axes extent_;      // of the padded image of a slab
    Axes pitch_;
    Index channel_pitch_, item_pitch_;

    Index along_row(Index at) const { return at % split_ * (pitch_[1] / split_) + at / split_; }
};

// How many positions of a phase a slab has of one item.
Index positions_in(const Phase& phase, const Slabs& slabs, const Slab& slab);

}  // namespace rushlight
