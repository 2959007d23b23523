// The gradient of a convolution's weight: for each tap the products of what it sees with the
// gradient, summed over items and positions. Slabs of items are put together in chunks, each with
// sums of its own, which are added up in order.
#include <algorithm>

#include "kernels/conv.h"
#include "kernels/conv_loops.h"
#include "kernels/gemm_loops.h"
#include "kernels/winograd.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

constexpr Index kMostChunks = 16;
constexpr Index kMostPartials = 4 << 20;  // numbers, of all chunks
constexpr Index kDepth = 512;
constexpr Index kChunkDepth = 128;  // positions from which a chunk is worth sums of its own

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

template <class T>
constexpr DType kDType = std::is_same_v<T, float> ? DType::F32 : DType::F64;

}  // namespace

template <class T>
void add_columns(const T* x, Index rows, Index cols, double* sums) {
    T totals[64];  // no block has more lanes
    const ColumnSumArgs<T> args{rows, cols, x, cols, totals};
    if constexpr (std::is_same_v<T, float>) gemm_table().column_sums_f32(args);
    else gemm_table().column_sums_f64(args);
    for (Index l = 0; l < cols; ++l) sums[l] += double(totals[l]);
}

template void add_columns(const float*, Index, Index, double*);
template void add_columns(const double*, Index, Index, double*);

template <class T>
void convolve_weight(const ConvShape& shape, const T* big, const T* small, T* dw, T* sums) {
    if (convolve_whole_weight(shape, big, small, dw, sums)) return;
    const auto& loops = conv_table().get<T>();
    const Correlation c = forward_correlation(shape);
    if constexpr (std::is_same_v<T, float>) {
        if (suits_winograd(c) && winograd_weight(shape, big, small, dw, sums)) return;
    }
    const bool few = c.lanes <= kFewLanes && c.depth <= kFewLanes;
    const std::vector<LaneBlock> blocks =
        few ? std::vector{LaneBlock{0, c.lanes, c.lanes, 0}}
            : cut_lanes(c.lanes, loops.narrowest, loops.widest);
    const Index lanes = blocks.back().offset + blocks.back().lanes;  // with those that only fill
    const Slabs slabs = cut_slabs(c, sizeof(T));
    const PaddedImage image(c, slabs, few, !few);
    const std::vector<Index> places = image.places(c.phases[0], slabs);
    const std::vector<Index> distances = image.distances(c.phases[0]);
    const Index taps = Index(distances.size()), plane = volume(c.out);

    const Index part = c.groups * taps * lanes;
    const Index fitting = std::max<Index>(kMostPartials / std::max<Index>(part, 1), 1);
    const Index worth = std::max<Index>(c.items * plane / kChunkDepth, 1);
    const Index slabs_each = divide_up(slabs.total, std::min({kMostChunks, fitting, worth}));
    const Index chunks = divide_up(slabs.total, slabs_each);
    const Array parts = Array::zeros({chunks, part}, kDType<T>);
    const Array side_sums = Array::zeros({chunks, c.groups * lanes}, DType::F64);
    T* const totals = parts.data<T>();
    double* const side_totals = side_sums.data<double>();
    const Index turned = few ? 0 : Index(places.size()) * blocks.front().lanes;
    ScratchBlocks scratch(std::size_t(image.scratch_size() + kSlack + turned) * sizeof(T));
    const ConvTasks tasks(chunks, c.groups, Index(blocks.size()), shape.multiplications());
    const double seconds = shape.multiplications() * kSecondsPerMultiplication;

    parallel_for(tasks.total(), seconds / double(tasks.total()), [&](Index unit) {
        const ScratchBlocks::Lease lease(scratch);
        T* const memory = reinterpret_cast<T*>(lease.data());
        T* const grad = memory + image.scratch_size() + kSlack;
        const ConvTask task = tasks.at(unit, c.groups, Index(blocks.size()));
        const Index chunk = task.slab;
        const Index end_slab = std::min((chunk + 1) * slabs_each, slabs.total);
        for (Index number = chunk * slabs_each; number < end_slab; ++number) {
            const Slab slab = slab_at(c, slabs, number);
            const Index each = positions_in(c.phases[0], slabs, slab);  // of an item
            const Index start = slab.band_start * (slabs.band_axis == 0   ? c.out[1] * c.out[2]
                                                   : slabs.band_axis == 1 ? c.out[2]
                                                                          : 1);
            for (Index group = task.first_group; group < task.end_group; ++group) {
                const T* from = image.make(big, slab, group, memory);
                T* const to = totals + chunk * part + group * taps * lanes;
                double* const side = side_totals + (chunk * c.groups + group) * lanes;
                const auto plane_of = [&](Index item, Index lane) {
                    const Index channels = ((slab.item + item) * c.groups + group) * c.lanes;
                    return small + (channels + lane) * plane + start;
                };
                if (few) {
                    for (Index item = 0; item < slab.items; ++item) {
                        for (Index l = 0; l < c.lanes; ++l) {
                            const T* g = plane_of(item, l);
                            const Index n = slabs.band_axis == 2 ? each : c.out[2];
                            loops.run_dots({from, places.data() + item * each, each / n, n, g,
                                            distances.data(), taps, to + l * taps});
                            if (sums) side[l] += loops.sum(g, each);
                        }
                    }
                    continue;
                }
                for (Index b = task.first_block; b < task.end_block; ++b) {
                    const LaneBlock& block = blocks[std::size_t(b)];
                    const Index positions = slab.items * each;
                    if (block.valid < block.lanes) {
                        std::fill_n(grad, positions * block.lanes, T(0));
                    }
                    for (Index item = 0; item < slab.items; ++item) {
                        loops.turn({plane_of(item, block.first), plane, block.valid, each,
                                    grad + item * each * block.lanes, block.lanes, nullptr});
                    }
                    if (sums) add_columns(grad, positions, block.lanes, side + block.offset);
                    for (Index k = 0; k < positions; k += kDepth) {
                        loops.product({from, distances.data(), taps, places.data() + k,
                                       std::min(kDepth, positions - k), grad + k * block.lanes,
                                       block.lanes, to + block.offset * taps, true});
                    }
                }
            }
        }
    });

    // The chunks' sums one after the other, and to the order of the weight.
    const Index units = c.groups * Index(blocks.size());
    parallel_for(units, double(chunks * part) / double(units) * 0.3e-9, [&](Index unit) {
        const Index group = unit / Index(blocks.size());
        const LaneBlock& block = blocks[std::size_t(unit) % blocks.size()];
        const Index at = (group * lanes + block.offset) * taps, count = block.lanes * taps;
        for (Index chunk = 1; chunk < chunks; ++chunk) {
            for (Index i = 0; i < count; ++i) totals[at + i] += totals[chunk * part + at + i];
            if (!sums) continue;
            const Index side = group * lanes + block.offset;
            for (Index l = 0; l < block.lanes; ++l) {
                side_totals[side + l] += side_totals[chunk * c.groups * lanes + side + l];
            }
        }
        const Index channel = group * c.lanes + block.first;
        if (few) {
            std::copy_n(totals + at, count, dw + channel * taps);
        } else {
            loops.turn({totals + at, block.lanes, taps, block.valid, dw + channel * taps, taps,
                        nullptr});
        }
        for (Index l = 0; sums && l < block.valid; ++l) {
            sums[channel + l] = T(side_totals[group * lanes + block.offset + l]);
        }
    });
}

template void convolve_weight(const ConvShape&, const float*, const float*, float*, float*);
template void convolve_weight(const ConvShape&, const double*, const double*, double*, double*);

}  // namespace rushlight
