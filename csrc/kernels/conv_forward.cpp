// Convolution and transposed convolution: both are correlations of padded images (conv_plan.h).
#include <algorithm>

#include "kernels/conv.h"
#include "kernels/conv_loops.h"
#include "kernels/winograd.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

// Terms that are added up in one go; the weights of so many fit the cache beside the image.
constexpr Index kDepth = 512;
// A task is worth at least so many multiplications.
constexpr double kTaskMultiplications = 1e6;
constexpr Index kManyTasks = 16;

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

// The weights as the loops read them: for each group, phase and block of lanes a matrix of
// (channel, tap) by lanes.
template <class T>
class PackedWeights {
public:
    PackedWeights(const Correlation& c, const ConvShape& shape, bool transposed,
                  std::span<const LaneBlock> blocks, const T* w)
        : blocks_(blocks), lanes_(blocks.back().offset + blocks.back().lanes) {
        Index rows = 0;
        for (const Phase& phase : c.phases) {
            phase_at_.push_back(rows * lanes_);
            rows += c.depth * Index(phase.taps.size());
        }
        group_size_ = rows * lanes_;
        memory_ = Array::empty({c.groups * group_size_}, dtype());
        T* const to = data();
        const Index taps = volume(shape.kernel), phases = Index(c.phases.size());
        const double each = double(group_size_) / double(phases) * 1e-9;
        parallel_for(c.groups * phases, each, [&](Index task) {
            const Index group = task / phases;
            const Phase& phase = c.phases[std::size_t(task % phases)];
            const T* from = w + group * c.lanes * c.depth * taps;
            for (const LaneBlock& block : blocks) {
                T* at = to + place(group, task % phases, block, c.depth * phase.taps.size());
                if (block.valid < block.lanes) {
                    std::fill_n(at, c.depth * Index(phase.taps.size()) * block.lanes, T(0));
                }
                if (!transposed) {
                    const Index row = c.depth * taps;
                    conv_table().get<T>().turn({from + block.first * row, row, block.valid, row,
                                                at, block.lanes, nullptr});
                    continue;
                }
                for (Index channel = 0; channel < c.depth; ++channel) {
                    const T* lane0 = from + (channel * c.lanes + block.first) * taps;
                    for (const Tap& tap : phase.taps) {
                        for (Index l = 0; l < block.valid; ++l) {
                            at[l] = lane0[l * taps + tap.number];
                        }
                        at += block.lanes;
                    }
                }
            }
        });
    }

    const T* at(Index group, Index phase, const LaneBlock& block, std::size_t rows) const {
        return data() + place(group, phase, block, rows);
    }

private:
    static constexpr DType dtype() {
        return std::is_same_v<T, float> ? DType::F32 : std::is_same_v<T, double> ? DType::F64
                                                                                 : DType::I64;
    }
    T* data() const { return reinterpret_cast<T*>(memory_.bytes()); }
    Index place(Index group, Index phase, const LaneBlock& block, std::size_t rows) const {
        return group * group_size_ + phase_at_[std::size_t(phase)] + block.offset * Index(rows);
    }

    std::span<const LaneBlock> blocks_;
    Index lanes_, group_size_ = 0;
    std::vector<Index> phase_at_;
    Array memory_;
};

// Positions of a slab's phase, and where their results go.
struct Target {
    Index start;      // of the first position, within a channel's plane
    Index positions;  // of one item
    Axes count;       // the same along the axes
};

Target target_of(const Correlation& c, const Phase& phase, const Slabs& slabs, const Slab& slab) {
    Target target{0, positions_in(phase, slabs, slab), phase.count};
    Axes first = phase.start;
    first[slabs.band_axis] += slab.band_start * c.out_step[slabs.band_axis];
    target.start = (first[0] * c.out[1] + first[1]) * c.out[2] + first[2];
    target.count[slabs.band_axis] =
        std::clamp<Index>(phase.count[slabs.band_axis] - slab.band_start, 0, slab.band);
    return target;
}

// Results of one item, a row of lanes for each position, to the planes of their channels.
template <class T>
void store(const Correlation& c, const Target& target, const T* results, const LaneBlock& block,
           const T* bias, T* plane) {
    const Index size = volume(c.out);
    if (c.out_step == Axes{1, 1, 1}) {
        conv_table().get<T>().turn({results, block.lanes, target.positions, block.valid,
                                    plane + target.start, size, bias});
        return;
    }
    for (Index l = 0; l < block.valid; ++l) {
        const T* from = results + l;
        const T add = bias ? bias[l] : T(0);
        for (Index z = 0; z < target.count[0]; ++z) {
            for (Index y = 0; y < target.count[1]; ++y) {
                T* to = plane + l * size + target.start +
                        (z * c.out_step[0] * c.out[1] + y * c.out_step[1]) * c.out[2];
                for (Index x = 0; x < target.count[2]; ++x, from += block.lanes) {
                    to[x * c.out_step[2]] = *from + add;
                }
            }
        }
    }
}

// Rows of a slab that are made together where they cannot be written in place.
constexpr Index kRowsTogether = 8;

// The same for few channels: adjacent positions side by side.
template <class T>
void run_rows(const Correlation& c, const Target& target, const T* image, const Index* places,
              Index row_pitch, std::span<const Index> distances, const T* w, const T* bias,
              T* results, T* plane) {
    const Index size = volume(c.out), n = target.count[2], pitch = c.out_step[1] * c.out[2];
    if (n == 0) return;
    const bool adjacent = c.out_step[2] == 1;
    const Index most = adjacent ? target.count[1] : kRowsTogether;
    for (Index z = 0; z < target.count[0]; ++z) {
        for (Index y = 0; y < target.count[1]; y += most) {
            const Index rows = std::min(most, target.count[1] - y);
            T* to = plane + target.start + z * c.out_step[0] * c.out[1] * c.out[2] + y * pitch;
            conv_table().get<T>().run_product(
                {image + places[(z * target.count[1] + y) * n], c.in_step[1] * row_pitch, rows, n,
                 distances.data(), Index(distances.size()), w, bias, c.lanes,
                 adjacent ? to : results, adjacent ? pitch : n, adjacent ? size : rows * n});
            if (adjacent) continue;
            const T* from = results;
            for (Index l = 0; l < c.lanes; ++l) {
                for (Index row = 0; row < rows; ++row, from += n) {
                    T* line = to + l * size + row * pitch;
                    for (Index x = 0; x < n; ++x) line[x * c.out_step[2]] = from[x];
                }
            }
        }
    }
}

}  // namespace

std::vector<LaneBlock> cut_lanes(Index channels, Index narrowest, Index widest) {
    std::vector<LaneBlock> blocks;
    Index offset = 0;
    for (Index first = 0; first < channels;) {
        const Index left = channels - first;
        Index lanes = widest;
        // Two vectors are worth their place from three quarters on, one from a half.
        if (left <= widest * 3 / 4) lanes /= 2;
        while (lanes > narrowest && lanes < widest && left <= lanes / 2) lanes /= 2;
        lanes = std::max(lanes, narrowest);
        const Index valid = std::min(lanes, left);
        blocks.push_back({first, valid, lanes, offset});
        first += valid;
        offset += lanes;
    }
    return blocks;
}

ScratchBlocks::ScratchBlocks(std::size_t bytes_each)
    : bytes_each_((bytes_each + 63) / 64 * 64),
      count_(std::size_t(num_threads())),
      memory_(Array::empty({Index(bytes_each_ * count_)}, DType::U8)),
      taken_(std::make_unique<std::atomic<bool>[]>(count_)) {}

ScratchBlocks::Lease::Lease(ScratchBlocks& from) : from_(from) {
    while (from.taken_[number_].exchange(true, std::memory_order_acquire)) {
        number_ = (number_ + 1) % from.count_;
    }
    data_ = from.memory_.bytes() + number_ * from.bytes_each_;
}

ScratchBlocks::Lease::~Lease() {
    from_.taken_[number_].store(false, std::memory_order_release);
}

ConvTasks::ConvTasks(Index slabs, Index groups, Index blocks, double multiplications)
    : slabs(slabs) {
    const double each = multiplications / double(slabs) / double(groups);
    groups_each = Index(std::clamp(kTaskMultiplications / (each + 1), 1.0, double(groups)));
    group_ranges = divide_up(groups, groups_each);
    const double parts =
        std::min(double(divide_up(kManyTasks, slabs * group_ranges)), each / kTaskMultiplications);
    blocks_each = divide_up(blocks, std::clamp<Index>(Index(parts), 1, blocks));
    block_ranges = divide_up(blocks, blocks_each);
}

ConvTask ConvTasks::at(Index task, Index groups, Index blocks) const noexcept {
    const Index block = task % block_ranges * blocks_each, rest = task / block_ranges;
    const Index group = rest % group_ranges * groups_each;
    return {rest / group_ranges, group, std::min(group + groups_each, groups), block,
            std::min(block + blocks_each, blocks)};
}

template <class T>
void convolve(const ConvShape& shape, bool transposed, const T* x, const T* w, const T* bias,
              T* y) {
    if (convolve_whole(shape, transposed, x, w, bias, y)) return;
    const auto& loops = conv_table().get<T>();
    const Correlation c =
        transposed ? transposed_correlation(shape) : forward_correlation(shape);
    if constexpr (std::is_same_v<T, float>) {
        if (suits_winograd(c) && winograd_convolve(shape, c, transposed, x, w, bias, y)) return;
    }
    const bool few = c.lanes <= kFewLanes;
    const std::vector<LaneBlock> blocks =
        few ? std::vector{LaneBlock{0, c.lanes, c.lanes, 0}}
            : cut_lanes(c.lanes, loops.narrowest, loops.widest);
    const Slabs slabs = cut_slabs(c, sizeof(T));
    const PaddedImage image(c, slabs, few, !few);
    const PackedWeights<T> weights(c, shape, transposed, blocks, w);
    std::vector<std::vector<Index>> places, distances;
    std::size_t most = 0;
    for (const Phase& phase : c.phases) {
        places.push_back(image.places(phase, slabs));
        distances.push_back(image.distances(phase));
        most = std::max(most, places.back().size());
    }
    const Index results = few ? kFewLanes * kRowsTogether * c.count[2] : Index(most) * blocks.front().lanes;
    ScratchBlocks scratch(std::size_t(image.scratch_size() + kSlack + results) * sizeof(T));
    const ConvTasks tasks(slabs.total, c.groups, Index(blocks.size()), shape.multiplications());
    const double seconds =
        shape.multiplications() * kSecondsPerMultiplication +
        double(c.items * c.groups) * double(c.lanes * volume(c.out)) * double(sizeof(T)) * 2e-10;

    parallel_for(tasks.total(), seconds / double(tasks.total()), [&](Index number) {
        const ScratchBlocks::Lease lease(scratch);
        T* const memory = reinterpret_cast<T*>(lease.data());
        T* const sums = memory + image.scratch_size() + kSlack;
        const ConvTask task = tasks.at(number, c.groups, Index(blocks.size()));
        const Slab slab = slab_at(c, slabs, task.slab);
        for (Index group = task.first_group; group < task.end_group; ++group) {
            const T* from = image.make(x, slab, group, memory);
            for (std::size_t p = 0; p < c.phases.size(); ++p) {
                const Target target = target_of(c, c.phases[p], slabs, slab);
                if (target.positions == 0) continue;
                const auto channels_of = [&](Index item) {
                    return ((slab.item + item) * c.groups + group) * c.lanes;
                };
                const auto bias_of = [&](Index lane) {
                    return bias ? bias + group * c.lanes + lane : nullptr;
                };
                if (few) {
                    const T* packed = weights.at(group, Index(p), blocks[0], distances[p].size());
                    for (Index item = 0; item < slab.items; ++item) {
                        run_rows(c, target, from, places[p].data() + item * target.positions,
                                 image.row_pitch(), distances[p], packed, bias_of(0), sums,
                                 y + channels_of(item) * volume(c.out));
                    }
                    continue;
                }
                for (Index b = task.first_block; b < task.end_block; ++b) {
                    const LaneBlock& block = blocks[std::size_t(b)];
                    const T* packed = weights.at(group, Index(p), block, distances[p].size());
                    const Index depth = Index(distances[p].size());
                    for (Index k = 0; k < depth || k == 0; k += kDepth) {
                        loops.product({from, places[p].data(), target.positions * slab.items,
                                       distances[p].data() + k, std::min(kDepth, depth - k),
                                       packed + k * block.lanes, block.lanes, sums, k > 0});
                    }
                    for (Index item = 0; item < slab.items; ++item) {
                        store(c, target, sums + item * target.positions * block.lanes, block,
                              bias_of(block.first),
                              y + (channels_of(item) + block.first) * volume(c.out));
                    }
                }
            }
        }
    });
}

template void convolve(const ConvShape&, bool, const float*, const float*, const float*, float*);
template void convolve(const ConvShape&, bool, const double*, const double*, const double*,
                       double*);
template void convolve(const ConvShape&, bool, const std::uint64_t*, const std::uint64_t*,
                       const std::uint64_t*, std::uint64_t*);

}  // namespace rushlight
