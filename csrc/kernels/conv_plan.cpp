// Places of positions and taps, slabs, and padded images.
#include "kernels/conv_plan.h"

#include <algorithm>

#include "kernels/conv_loops.h"

namespace rushlight {
namespace {

// There should be that many slabs, for several threads to share.
constexpr Index kManySlabs = 8;
constexpr Index kCrowdedPitch = 256, kCrowd = 8;

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }
Index floor_mod(Index a, Index b) { return (a % b + b) % b; }

// One axis of a phase: its positions, and which taps they see where.
struct AxisPhase {
    Index start, count;
    std::vector<std::pair<Index, Index>> taps;  // number, place
};

// All combinations of the axes' phases.
std::vector<Phase> combined(const std::array<std::vector<AxisPhase>, 3>& axes) {
    std::vector<Phase> phases;
    for (const AxisPhase& a : axes[0]) {
        for (const AxisPhase& b : axes[1]) {
            for (const AxisPhase& c : axes[2]) {
                phases.push_back({{a.start, b.start, c.start}, {a.count, b.count, c.count}, {}});
            }
        }
    }
    return phases;
}

}  // namespace

Correlation forward_correlation(const ConvShape& s) {
    Correlation c;
    c.items = s.items, c.groups = s.groups, c.depth = s.big_channels, c.lanes = s.small_channels;
    c.in = s.big, c.out = s.small, c.before = s.padding, c.count = s.small;
    c.in_step = s.stride, c.out_step = {1, 1, 1};
    for (int i = 0; i < 3; ++i) c.reach[i] = (s.kernel[i] - 1) * s.dilation[i];
    Phase phase{{0, 0, 0}, s.small, {}};
    const Axes& k = s.kernel;
    for (Index z = 0; z < k[0]; ++z) {
        for (Index y = 0; y < k[1]; ++y) {
            for (Index x = 0; x < k[2]; ++x) {
                phase.taps.push_back({(z * k[1] + y) * k[2] + x, {z * s.dilation[0],
                                      y * s.dilation[1], x * s.dilation[2]}});
            }
        }
    }
    c.phases.push_back(std::move(phase));
    return c;
}

// Position y of the large side gets tap k from i = (y + padding - k dilation) / stride of the small
// side, where that is whole: with y = start + stride q from q plus a constant.
Correlation transposed_correlation(const ConvShape& s) {
    Correlation c;
    c.items = s.items, c.groups = s.groups, c.depth = s.small_channels, c.lanes = s.big_channels;
    c.in = s.small, c.out = s.big;
    c.in_step = {1, 1, 1}, c.out_step = s.stride;
    std::array<std::vector<AxisPhase>, 3> axes;
    for (int axis = 0; axis < 3; ++axis) {
        Index nearest = 0, farthest = 0;
        bool any = false;
        for (Index start = 0; start < std::min(s.stride[axis], c.out[axis]); ++start) {
            AxisPhase phase{start, divide_up(c.out[axis] - start, s.stride[axis]), {}};
            for (Index k = 0; k < s.kernel[axis]; ++k) {
                const Index at = start + s.padding[axis] - k * s.dilation[axis];
                if (floor_mod(at, s.stride[axis]) != 0) continue;
                const Index place = at / s.stride[axis];
                nearest = any ? std::min(nearest, place) : place;
                farthest = any ? std::max(farthest, place) : place;
                any = true;
                phase.taps.push_back({k, place});
            }
            axes[std::size_t(axis)].push_back(std::move(phase));
        }
        for (AxisPhase& phase : axes[std::size_t(axis)]) {
            for (auto& tap : phase.taps) tap.second -= nearest;
        }
        c.before[axis] = -nearest;
        c.reach[axis] = farthest - nearest;
        c.count[axis] = divide_up(c.out[axis], s.stride[axis]);
    }
    c.phases = combined(axes);
    std::size_t at = 0;
    for (const AxisPhase& a : axes[0]) {
        for (const AxisPhase& b : axes[1]) {
            for (const AxisPhase& d : axes[2]) {
                Phase& phase = c.phases[at++];
                for (const auto& [k0, p0] : a.taps) {
                    for (const auto& [k1, p1] : b.taps) {
                        for (const auto& [k2, p2] : d.taps) {
                            phase.taps.push_back(
                                {(k0 * s.kernel[1] + k1) * s.kernel[2] + k2, {p0, p1, p2}});
                        }
                    }
                }
            }
        }
    }
    return c;
}

Slabs cut_slabs(const Correlation& c, std::size_t itemsize, const SlabLimits& limits) {
    Slabs slabs;
    while (slabs.band_axis < 2 && c.count[slabs.band_axis] == 1) ++slabs.band_axis;
    const int axis = slabs.band_axis;
    const Index rows = c.count[axis];
    const Index per_row = std::max<Index>(volume(c.count) / std::max<Index>(rows, 1), 1);
    Index row_bytes = c.depth * Index(itemsize) * c.in_step[axis];  // of the image, for each row
    for (int i = 0; i < 3; ++i) {
        if (i != axis) row_bytes *= (c.count[i] - 1) * c.in_step[i] + c.reach[i] + 1;
    }
    row_bytes = std::max<Index>(row_bytes, 1);
    const Index positions = rows * per_row;
    if (positions <= limits.few_positions / 2) {
        const Index fitting = std::min(limits.few_positions / std::max<Index>(positions, 1),
                                       limits.image_bytes / (row_bytes * std::max<Index>(rows, 1)));
        const Index shared = divide_up(c.items, kManySlabs);
        slabs.items_each = std::clamp<Index>(std::min(fitting, shared), 1,
                                             std::max<Index>(c.items, 1));
        slabs.band = rows;
        slabs.total = divide_up(c.items, slabs.items_each);
        return slabs;
    }
    Index band = std::min({limits.positions / per_row, limits.image_bytes / row_bytes, rows});
    // An item that is alone is shared out as well, though not in pieces that are mostly margin.
    const Index wanted = divide_up(kManySlabs, std::max<Index>(c.items, 1));
    band = std::min(band, std::max(divide_up(rows, wanted), c.reach[axis] / c.in_step[axis] + 1));
    band = std::max<Index>(band, 1);
    slabs.bands = divide_up(rows, band);
    slabs.band = divide_up(rows, slabs.bands);
    slabs.bands = divide_up(rows, slabs.band);
    slabs.total = c.items * slabs.bands;
    return slabs;
}

Slab slab_at(const Correlation& c, const Slabs& slabs, Index index) {
    Slab slab;
    slab.item = index / slabs.bands * slabs.items_each;
    slab.items = std::min(slabs.items_each, c.items - slab.item);
    slab.band_start = index % slabs.bands * slabs.band;
    slab.band = std::min(slabs.band, c.count[slabs.band_axis] - slab.band_start);
    return slab;
}

Index positions_in(const Phase& phase, const Slabs& slabs, const Slab& slab) {
    const int axis = slabs.band_axis;
    const Index rows = std::clamp<Index>(phase.count[axis] - slab.band_start, 0, slab.band);
    return phase.count[axis] == 0 ? 0 : volume(phase.count) / phase.count[axis] * rows;
}

PaddedImage::PaddedImage(const Correlation& c, const Slabs& slabs, bool split, bool may_be_input)
    : c_(c), band_axis_(slabs.band_axis), slabs_items_(slabs.items_each) {
    // Channels a power of two apart share a few lines of the cache: a copy pays.
    const bool crowded = c.depth > kCrowd && volume(c.in) % kCrowdedPitch == 0;
    is_input_ = may_be_input && !crowded;
    for (int i = 0; i < 3; ++i) {
        const Index count = i == band_axis_ ? slabs.band : c.count[i];
        extent_[i] = (count - 1) * c.in_step[i] + c.reach[i] + 1;
        const Index needed = (c.count[i] - 1) * c.in_step[i] + c.reach[i] + 1;
        is_input_ = is_input_ && c.before[i] == 0 && needed <= c.in[i];
    }
    if (is_input_) {
        pitch_ = {c.in[1] * c.in[2], c.in[2], 1};
        channel_pitch_ = volume(c.in);
        item_pitch_ = channel_pitch_ * c.depth * c.groups;
        return;
    }
    split_ = split ? c.in_step[2] : 1;
    const Index row = (extent_[2] + split_ - 1) / split_ * split_;
    pitch_ = {extent_[1] * row, row, 1};
    channel_pitch_ = extent_[0] * pitch_[0];
    if (channel_pitch_ % kCrowdedPitch == 0) channel_pitch_ += 16;
    item_pitch_ = channel_pitch_ * c.depth;
}

std::vector<Index> PaddedImage::places(const Phase& phase, const Slabs& slabs) const {
    std::vector<Index> places;
    Axes count = phase.count;
    count[band_axis_] = std::min(count[band_axis_], slabs.band);
    const Index step = split_ > 1 ? 1 : c_.in_step[2];
    for (Index item = 0; item < slabs_items_; ++item) {
        for (Index z = 0; z < count[0]; ++z) {
            for (Index y = 0; y < count[1]; ++y) {
                const Index row = item * item_pitch_ + z * c_.in_step[0] * pitch_[0] +
                                  y * c_.in_step[1] * pitch_[1];
                for (Index x = 0; x < count[2]; ++x) places.push_back(row + x * step);
            }
        }
    }
    return places;
}

std::vector<Index> PaddedImage::distances(const Phase& phase) const {
    std::vector<Index> distances;
    distances.reserve(std::size_t(c_.depth) * phase.taps.size());
    for (Index channel = 0; channel < c_.depth; ++channel) {
        for (const Tap& tap : phase.taps) {
            distances.push_back(channel * channel_pitch_ + tap.at[0] * pitch_[0] +
                                tap.at[1] * pitch_[1] + along_row(tap.at[2]));
        }
    }
    return distances;
}

// A row taken apart by remainders; numbers before `begin` and from `end` on are zeros.
template <class T>
void PaddedImage::split_row(const T* row, Index begin, Index end, T* to) const {
    const Index length = pitch_[1] / split_;
    if (split_ == 2) {
        T* const parts[2] = {to, to + length};
        // The row begins in the part that its remainder says.
        T* const even = parts[begin % 2] + begin / 2;
        T* const odd = parts[1 - begin % 2] + (begin + 1) / 2;
        std::fill_n(parts[0], (begin + 1) / 2, T(0));
        std::fill_n(parts[1], begin / 2, T(0));
        conv_table().get<T>().split_row({row + begin, end - begin, even, odd});
        std::fill(parts[0] + (end + 1) / 2, parts[1], T(0));
        std::fill(parts[1] + end / 2, parts[1] + length, T(0));
        return;
    }
    for (Index part = 0; part < split_; ++part, to += length) {
        const Index first = std::max<Index>(divide_up(begin - part, split_), 0);
        const Index last = std::max(divide_up(end - part, split_), first);
        std::fill_n(to, first, T(0));
        for (Index x = first; x < last; ++x) to[x] = row[part + x * split_];
        std::fill_n(to + last, length - last, T(0));
    }
}

template <class T>
const T* PaddedImage::make(const T* input, const Slab& slab, Index group, T* scratch) const {
    const Index plane = volume(c_.in), channels = c_.groups * c_.depth;
    const T* from = input + (slab.item * channels + group * c_.depth) * plane;
    Axes first{-c_.before[0], -c_.before[1], -c_.before[2]};  // of the image, in the input
    first[band_axis_] += slab.band_start * c_.in_step[band_axis_];
    if (is_input_) {
        return from + first[0] * pitch_[0] + first[1] * pitch_[1] + first[2];
    }
    // The part of a row that lies in the input.
    const Index begin = std::clamp<Index>(-first[2], 0, extent_[2]);
    const Index end = std::clamp<Index>(c_.in[2] - first[2], begin, extent_[2]);
    for (Index item = 0; item < slab.items; ++item) {
        for (Index channel = 0; channel < c_.depth; ++channel) {
            const T* source = from + (item * channels + channel) * plane;
            T* to = scratch + item * item_pitch_ + channel * channel_pitch_;
            for (Index z = 0; z < extent_[0]; ++z) {
                const Index in_z = first[0] + z;
                const bool inside = in_z >= 0 && in_z < c_.in[0];
                // The rows that lie in the input.
                const Index top = inside ? std::clamp<Index>(-first[1], 0, extent_[1]) : extent_[1];
                const Index bottom = std::clamp<Index>(c_.in[1] - first[1], top, extent_[1]);
                const T* rows = source + (in_z * c_.in[1] + first[1] + top) * c_.in[2] + first[2];
                std::fill_n(to, top * pitch_[1], T(0));
                to += top * pitch_[1];
                if (split_ == 1) {
                    conv_table().get<T>().pad_rows({rows + begin, c_.in[2], bottom - top, begin,
                                                    end - begin, pitch_[1] - end, to, pitch_[1]});
                } else {
                    for (Index y = 0; y < bottom - top; ++y) {
                        split_row(rows + y * c_.in[2], begin, end, to + y * pitch_[1]);
                    }
                }
                to += (bottom - top) * pitch_[1];
                std::fill_n(to, (extent_[1] - bottom) * pitch_[1], T(0));
                to += (extent_[1] - bottom) * pitch_[1];
            }
        }
    }
    return scratch;
}

template const float* PaddedImage::make(const float*, const Slab&, Index, float*) const;
template const double* PaddedImage::make(const double*, const Slab&, Index, double*) const;
template const std::uint64_t* PaddedImage::make(const std::uint64_t*, const Slab&, Index,
                                                std::uint64_t*) const;

}  // namespace rushlight
