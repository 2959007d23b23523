// Tiles, and the matrix products between their transformations.
#include "kernels/winograd.h"

#include <algorithm>
#include <cmath>

#include "kernels/conv_loops.h"
#include "kernels/gemm_loops.h"
#include "kernels/winograd_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr Axes kOnes{1, 1, 1};
// Numbers that a slab's tiles, of the image and of one block of results, may take of the cache.
constexpr double kCached = 192 << 10;
constexpr Index kMostChunks = 16;
constexpr Index kMostPartials = 4 << 20;  // numbers

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

// At least so many numbers from one place to the next, and an odd number of cache lines: 16 places
// at a time then do not share a set of the cache.
Index place_pitch(Index numbers) { return divide_up(numbers, 16) / 2 * 32 + 16; }

// The same with tiles for positions: two by two results each, which see four by four numbers.
Correlation in_tiles(Correlation c) {
    c.in_step = {1, 2, 2};
    c.count = {1, divide_up(c.out[1], 2), divide_up(c.out[2], 2)};
    c.reach = {0, 3, 3};
    c.phases = {Phase{{0, 0, 0}, c.count, {{0, {0, 0, 0}}}}};
    return c;
}

SlabLimits limits_of(const Correlation& c) {
    const double each = double(kPlaces * c.depth + (kPlaces + 4) * std::min<Index>(c.lanes, 32));
    const Index most = std::clamp<Index>(Index(kCached / each), 48, 192);
    return {.image_bytes = 192 << 10, .positions = most, .few_positions = most};
}

// One group of a slab as tiles.
class TiledSlab {
public:
    explicit TiledSlab(const Correlation& tiles)
        : tiles_(tiles),
          slabs_(cut_slabs(tiles, sizeof(float), limits_of(tiles))),
          image_(tiles, slabs_, false, false) {
        most_ = slabs_.items_each * slabs_.band * tiles.count[2];
        tile_channel_ = most_ + 16;
        tile_place_ = place_pitch(tiles.depth * tile_channel_);
        for (Index channel = 0; channel < tiles.depth; ++channel) {
            channels_.push_back(channel * tile_channel_);
        }
        for (Index tile = 0; tile < most_; ++tile) numbers_.push_back(tile);
    }

    const Slabs& slabs() const noexcept { return slabs_; }
    Index most() const noexcept { return most_; }
    Index lanes_pitch(const LaneBlock& block) const { return place_pitch(most_ * block.lanes); }
    Index place_size() const noexcept { return tile_place_; }
    const Index* channels() const noexcept { return channels_.data(); }
    const Index* numbers() const noexcept { return numbers_.data(); }
    // Numbers of memory for the image and for its tiles.
    Index image_size() const { return image_.scratch_size() + kTileSlack; }
    Index tiles_size() const { return kPlaces * tile_place_ + kTileSlack; }

    void make(const float* input, const Slab& slab, Index group, float* image, float* tiles) const {
        image_.make(input, slab, group, image);
        for (Index item = 0; item < slab.items; ++item) {
            winograd_table().image({image + item * image_.item_pitch(), tiles_.depth,
                                    image_.channel_pitch(), image_.row_pitch(), slab.band,
                                    tiles_.count[2], tiles + item * slab.band * tiles_.count[2],
                                    tile_channel_, tile_place_});
        }
    }

private:
    const Correlation& tiles_;
    Slabs slabs_;
    PaddedImage image_;
    Index most_, tile_channel_, tile_place_;
    std::vector<Index> channels_, numbers_;
};

// Rows of results that a slab's tiles have in one item: the last tile may be half outside.
Index rows_in(const Correlation& c, const Slab& slab) {
    return std::min(2 * slab.band, c.out[1] - 2 * slab.band_start);
}

// Calls f(place among the tiles' results, place in the plane, positions) for runs of results.
template <class F>
void for_result_runs(const Correlation& c, const Slab& slab, F&& f) {
    const Index width = c.out[2], wide = divide_up(width, 2) * 2, rows = rows_in(c, slab);
    const Index start = 2 * slab.band_start * width;
    if (wide == width) return f(Index(0), start, rows * width);
    for (Index row = 0; row < rows; ++row) f(row * wide, start + row * width, width);
}

// Where the weights, or their gradients, of a group and a block of lanes lie at the 16 places.
class WeightPlaces {
public:
    WeightPlaces(const Correlation& c, std::span<const LaneBlock> blocks) : depth_(c.depth) {
        for (const LaneBlock& block : blocks) {
            starts_.push_back(group_size_);
            group_size_ += kPlaces * pitch(block);
        }
    }
    Index group_size() const noexcept { return group_size_; }
    Index pitch(const LaneBlock& block) const { return place_pitch(depth_ * block.lanes); }
    Index start(Index group, Index block) const {
        return group * group_size_ + starts_[std::size_t(block)];
    }

private:
    Index depth_, group_size_ = 0;
    std::vector<Index> starts_;
};

Array transformed_weights(const Correlation& c, bool transposed, const WeightPlaces& at_places,
                          const std::vector<LaneBlock>& blocks, Index lanes, const float* w) {
    const Array result = Array::empty({c.groups * at_places.group_size()}, DType::F32);
    const Array plain = Array::empty({c.groups * 9 * c.depth * lanes}, DType::F32);
    float *const to = result.data<float>(), *const between = plain.data<float>();
    const Index count = Index(blocks.size()), row = c.depth * 9;
    const double seconds = double(c.depth * lanes) * 20e-9 / double(count);
    parallel_for(c.groups * count, seconds, [&](Index task) {
        const Index group = task / count;
        const LaneBlock& block = blocks[std::size_t(task % count)];
        const Index before = group * lanes + block.offset;
        float* at = between + before * row;
        if (block.valid < block.lanes) std::fill_n(at, row * block.lanes, 0.0f);
        if (!transposed) {
            conv_table().get<float>().turn({w + (group * c.lanes + block.first) * row, row,
                                            block.valid, row, at, block.lanes, nullptr});
        } else {
            for (Index channel = 0; channel < c.depth; ++channel) {
                const float* from = w + ((group * c.depth + channel) * c.lanes + block.first) * 9;
                for (const Tap& tap : c.phases[0].taps) {
                    float* row_at = at + (channel * 9 + tap.at[1] * 3 + tap.at[2]) * block.lanes;
                    for (Index l = 0; l < block.valid; ++l) row_at[l] = from[l * 9 + tap.number];
                }
            }
        }
        winograd_table().weight(c.depth, block.lanes, at_places.pitch(block), at,
                                to + at_places.start(group, task % count));
    });
    return result;
}

}  // namespace

bool suits_winograd(const Correlation& c) {
    const bool plain = c.phases.size() == 1 && c.in_step == kOnes && c.out_step == kOnes &&
                       c.reach == Axes{0, 2, 2} && c.phases[0].taps.size() == 9 && c.in[0] == 1 &&
                       c.out[0] == 1 && c.before[0] == 0 && c.out[1] > 2;
    if (!plain || c.depth < 4 || c.lanes < 4) return false;
    // Vector operations for one tile, by and large: the products, and the transformations.
    const double cols = double(divide_up(c.out[2], 2)), rows = double(divide_up(c.out[1], 2));
    const double depth = double(c.depth), lanes = double(c.lanes);
    const double vectors = std::ceil(cols / 16) / cols;
    const double tiled = depth * lanes + 80 * depth * vectors + 5 * lanes;
    const double direct = 2.25 * depth * lanes * double(volume(c.out)) / (4 * rows * cols);
    return 1.1 * tiled < direct;
}

bool winograd_convolve(const ConvShape& shape, const Correlation& c, bool transposed,
                       const float* x, const float* w, const float* bias, float* y) {
    const auto& loops = conv_table().get<float>();
    const Correlation tiles = in_tiles(c);
    const TiledSlab tiled(tiles);
    const Slabs& slabs = tiled.slabs();
    const auto blocks = cut_lanes(c.lanes, loops.narrowest, loops.widest);
    const Index lanes = blocks.back().offset + blocks.back().lanes, widest = blocks[0].lanes;
    const WeightPlaces at_places(c, blocks);
    const Array weights = transformed_weights(c, transposed, at_places, blocks, lanes, w);
    const float* const packed = weights.data<float>();
    const Index products_size = kPlaces * tiled.lanes_pitch(blocks[0]);
    ScratchBlocks scratch(std::size_t(tiled.image_size() + tiled.tiles_size() + products_size +
                                      4 * tiled.most() * widest) * sizeof(float));
    const double work = shape.multiplications() / 2;
    const ConvTasks tasks(slabs.total, c.groups, Index(blocks.size()), work);
    std::atomic<bool> finite{true};

    parallel_for(tasks.total(), work * kSecondsPerMultiplication / double(tasks.total()),
                 [&](Index number) {
        const ScratchBlocks::Lease lease(scratch);
        float* const image = reinterpret_cast<float*>(lease.data());
        float* const places = image + tiled.image_size();
        float* const products = places + tiled.tiles_size();
        float* const results = products + products_size;
        const ConvTask task = tasks.at(number, c.groups, Index(blocks.size()));
        const Slab slab = slab_at(tiles, slabs, task.slab);
        const Index each = slab.band * tiles.count[2];  // tiles of an item
        for (Index group = task.first_group; group < task.end_group; ++group) {
            tiled.make(x, slab, group, image, places);
            for (Index b = task.first_block; b < task.end_block; ++b) {
                const LaneBlock& block = blocks[std::size_t(b)];
                const float* from = packed + at_places.start(group, b);
                for (Index place = 0; place < kPlaces; ++place) {
                    loops.product({places + place * tiled.place_size(), tiled.numbers(),
                                   slab.items * each, tiled.channels(), c.depth,
                                   from + place * at_places.pitch(block), block.lanes,
                                   products + place * tiled.lanes_pitch(block), false});
                }
                for (Index item = 0; item < slab.items; ++item) {
                    const LaneTiles of_item{slab.band, tiles.count[2], block.lanes,
                                            tiled.lanes_pitch(block)};
                    if (!winograd_table().results(of_item, products + item * each * block.lanes,
                                                  results)) {
                        finite.store(false, std::memory_order_relaxed);
                        return;
                    }
                    const Index channel = group * c.lanes + block.first;
                    float* plane = y + ((slab.item + item) * c.groups * c.lanes + channel) *
                                           volume(c.out);
                    for_result_runs(c, slab, [&](Index at, Index to, Index count) {
                        loops.turn({results + at * block.lanes, block.lanes, count, block.valid,
                                    plane + to, volume(c.out), bias ? bias + channel : nullptr});
                    });
                }
            }
        }
    });
    return finite;
}

bool winograd_weight(const ConvShape& shape, const float* big, const float* small, float* dw,
                     float* sums) {
    const auto& loops = conv_table().get<float>();
    const Correlation c = forward_correlation(shape), tiles = in_tiles(c);
    const TiledSlab tiled(tiles);
    const Slabs& slabs = tiled.slabs();
    const auto blocks = cut_lanes(c.lanes, loops.narrowest, loops.widest);
    const Index lanes = blocks.back().offset + blocks.back().lanes, widest = blocks[0].lanes;

    const WeightPlaces at_places(c, blocks);
    const Index part = c.groups * at_places.group_size();
    const Index fitting = std::max<Index>(kMostPartials / part, 1);
    const Index slabs_each = divide_up(slabs.total, std::min(kMostChunks, fitting));
    const Index chunks = divide_up(slabs.total, slabs_each);
    const Array parts = Array::zeros({chunks, part}, DType::F32);
    const Array side_sums = Array::zeros({chunks, c.groups * lanes}, DType::F64);
    float* const totals = parts.data<float>();
    double* const side_totals = side_sums.data<double>();
    const Index products_size = kPlaces * tiled.lanes_pitch(blocks[0]);
    ScratchBlocks scratch(std::size_t(tiled.image_size() + tiled.tiles_size() + products_size +
                                      4 * tiled.most() * widest) * sizeof(float));
    const double work = shape.multiplications() / 2;
    const ConvTasks tasks(chunks, c.groups, Index(blocks.size()), work);

    parallel_for(tasks.total(), work * kSecondsPerMultiplication / double(tasks.total()),
                 [&](Index number) {
        const ScratchBlocks::Lease lease(scratch);
        float* const image = reinterpret_cast<float*>(lease.data());
        float* const places = image + tiled.image_size();
        float* const grad_places = places + tiled.tiles_size();
        float* const grads = grad_places + products_size;
        const ConvTask task = tasks.at(number, c.groups, Index(blocks.size()));
        const Index end = std::min((task.slab + 1) * slabs_each, slabs.total);
        for (Index at = task.slab * slabs_each; at < end; ++at) {
            const Slab slab = slab_at(tiles, slabs, at);
            const Index each = slab.band * tiles.count[2];
            for (Index group = task.first_group; group < task.end_group; ++group) {
                tiled.make(big, slab, group, image, places);
                for (Index b = task.first_block; b < task.end_block; ++b) {
                    const LaneBlock& block = blocks[std::size_t(b)];
                    const Index before = group * lanes + block.offset;
                    const Index channel = group * c.lanes + block.first;
                    for (Index item = 0; item < slab.items; ++item) {
                        // Zeros in lanes that only fill, and in tiles beyond the edge.
                        const bool edge = rows_in(c, slab) < 2 * slab.band || c.out[2] % 2 != 0;
                        if (edge || block.valid < block.lanes) {
                            std::fill_n(grads, 4 * each * block.lanes, 0.0f);
                        }
                        const float* plane = small + ((slab.item + item) * c.groups * c.lanes +
                                                      channel) * volume(c.out);
                        for_result_runs(c, slab, [&](Index to, Index from, Index count) {
                            loops.turn({plane + from, volume(c.out), block.valid, count,
                                        grads + to * block.lanes, block.lanes, nullptr});
                        });
                        if (sums) {
                            add_columns(grads, 4 * each, block.lanes,
                                        side_totals + task.slab * c.groups * lanes + before);
                        }
                        winograd_table().gradients({slab.band, tiles.count[2], block.lanes,
                                                    tiled.lanes_pitch(block)},
                                                   grads, grad_places + item * each * block.lanes);
                    }
                    float* to = totals + task.slab * part + at_places.start(group, b);
                    for (Index place = 0; place < kPlaces; ++place) {
                        loops.product({places + place * tiled.place_size(), tiled.channels(),
                                       c.depth, tiled.numbers(), slab.items * each,
                                       grad_places + place * tiled.lanes_pitch(block),
                                       block.lanes, to + place * at_places.pitch(block), true});
                    }
                }
            }
        }
    });

    std::atomic<bool> finite{true};
    const Index units = c.groups * Index(blocks.size()), row = c.depth * 9;
    const Array plain = Array::empty({c.groups * lanes * row}, DType::F32);
    float* const between = plain.data<float>();
    parallel_for(units, double(chunks * part) / double(units) * 0.3e-9, [&](Index unit) {
        const Index group = unit / Index(blocks.size());
        const LaneBlock& block = blocks[std::size_t(unit) % blocks.size()];
        const Index before = group * lanes + block.offset, channel = group * c.lanes + block.first;
        const Index at = at_places.start(group, unit % Index(blocks.size()));
        const Index count = kPlaces * at_places.pitch(block);
        for (Index chunk = 1; chunk < chunks; ++chunk) {
            for (Index i = 0; i < count; ++i) totals[at + i] += totals[chunk * part + at + i];
            for (Index l = 0; l < block.lanes; ++l) {
                side_totals[before + l] += side_totals[chunk * c.groups * lanes + before + l];
            }
        }
        float* const weight = between + before * row;
        winograd_table().weight_gradient(c.depth, block.lanes, at_places.pitch(block), totals + at,
                                         weight);
        float odd = 0;  // stays 0 as long as everything is finite
        for (Index i = 0; i < row * block.lanes; ++i) odd += weight[i] - weight[i];
        if (odd != 0) finite.store(false, std::memory_order_relaxed);
        loops.turn({weight, block.lanes, row, block.valid, dw + channel * row, row, nullptr});
        for (Index l = 0; sums && l < block.valid; ++l) {
            sums[channel + l] = float(side_totals[before + l]);
        }
    });
    return finite;
}

}  // namespace rushlight
