// Scaled dot-product attention in tiles of queries and keys, forward and backward; the matrix of
// scores is never in memory (Dao et al. 2022, FlashAttention). A tile holds its scores transposed,
// a row for each key, so that the softmax over keys works on whole rows; see attention_loops.h.
#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <vector>

#include "bind/casters.h"
#include "kernels/attention_loops.h"
#include "kernels/axis_walk.h"
#include "kernels/gemm_loops.h"
#include "runtime/parallel.h"

namespace rushlight {
namespace {

using OptionalArray = std::optional<Array>;

constexpr Index kTileKeys = 64;
constexpr Index kBlockQueries = 64;
// Causal attention over few queries takes smaller blocks: less of a tile on the diagonal is wasted.
constexpr Index kShortBlock = 32, kShortQueries = 256;
// The backward pass cuts the keys into groups until there are this many tasks.
constexpr Index kBackwardTasks = 16, kKeysOfGroup = 256;
constexpr double kOperationsPerSecond = 6e10, kExponentialsPerSecond = 1e9;
constexpr double kTaskSeconds = 10e-6;

Index divide_up(Index a, Index b) { return (a + b - 1) / b; }
Index padded(Index queries) { return divide_up(queries, kTileLanes) * kTileLanes; }

// Memory of one task.
template <class T>
class Buffer {
public:
    explicit Buffer(Index count)
        : memory_(static_cast<T*>(::operator new(std::size_t(count) * sizeof(T), kAlign))) {}
    // The next `count` numbers of it; what all calls take together has been asked for.
    T* take(Index count) { return std::exchange(next_, next_ + count); }

private:
    static constexpr std::align_val_t kAlign{64};
    struct Release {
        void operator()(T* memory) const { ::operator delete(memory, kAlign); }
    };
    std::unique_ptr<T, Release> memory_;
    T* next_ = memory_.get();
};

// (..., rows, columns) with contiguous rows: one matrix for each head.
template <class T>
struct Heads {
    Array array;  // keeps the memory
    T* data = nullptr;
    Index row = 0;
    std::vector<Index> offsets;

    Heads() = default;
    explicit Heads(const Array& x) : array(x), data(x.data<T>()), row(x.stride(x.ndim() - 2)) {
        const int leading = x.ndim() - 2;
        offsets = element_offsets(span_of(x.shape(), 0, leading), span_of(x.strides(), 0, leading));
    }
    T* rows(Index head, Index first) const {
        return data + offsets[std::size_t(head)] + first * row;
    }
};

// The inputs of a kernel need contiguous rows.
Array with_rows(const Array& x, DType dtype) {
    const Array converted = cast(x, dtype);
    const int last = x.ndim() - 1;
    return x.size(last) <= 1 || converted.stride(last) == 1 ? converted : contiguous(converted);
}

// A boolean or additive mask, expanded to (..., queries, keys).
struct Mask {
    Array array;
    bool boolean = false;
    const std::byte* data = nullptr;
    Index row = 0, column = 0;
    std::vector<Index> offsets;

    Mask() = default;
    Mask(const Array& mask, const Dims& shape, DType dtype)
        : array((mask.dtype() == DType::Bool ? mask : cast(mask, dtype)).expand(shape)),
          boolean(mask.dtype() == DType::Bool), data(array.bytes()),
          row(array.stride(array.ndim() - 2)), column(array.stride(array.ndim() - 1)) {
        const int leading = array.ndim() - 2;
        offsets = element_offsets(span_of(array.shape(), 0, leading),
                                  span_of(array.strides(), 0, leading));
    }
};

// A block of queries and some keys.
struct Tile {
    Index head;              // of the queries
    Index query, queries;    // the first, and how many
    Index width;             // queries, padded; 1 for a single one in the forward pass
    Index key, keys;
};

void product(const GemmArgs<float>& args) { gemm_table().f32(args); }
void product(const GemmArgs<double>& args) { gemm_table().f64(args); }

struct Sizes {
    Dims leading;     // of the queries
    Index heads = 1;  // of the queries
    Index share = 1;  // how many of them use the same keys and values
    Index queries = 0, keys = 0, features = 0, outputs = 0;
    bool causal = false;
    double scale = 1;
    Index block = 0, blocks = 0;

    double seconds_per_score() const {
        return double(2 * (features + outputs)) / kOperationsPerSecond + 1 / kExponentialsPerSecond;
    }
    // How many keys, from 0 on, the queries before `end` see.
    Index keys_seen(Index end) const { return causal ? std::min(keys, end) : keys; }
};

Sizes sizes_of(const Array& query, const Array& key, const Array& value, bool causal,
               double scale) {
    Sizes sizes;
    const int n = query.ndim();
    check_as(ErrorKind::NotImplemented, !is_complex(query.dtype()), "scaled_dot_product_attention: ",
             "not implemented for ", name_of(query.dtype()), ", expected a floating dtype");
    check(n >= 2 && key.ndim() == n && value.ndim() == n, "attention: expected query, key and "
          "value of as many dimensions, at least 2, got shapes ", query.shape(), ", ", key.shape(),
          " and ", value.shape());
    sizes.queries = query.size(n - 2);
    sizes.keys = key.size(n - 2);
    sizes.features = query.size(n - 1);
    sizes.outputs = value.size(n - 1);
    bool fits = key.size(n - 1) == sizes.features && value.size(n - 2) == sizes.keys;
    for (int i = 0; i < n - 2; ++i) {
        const Index heads = query.size(i), shared = key.size(i);
        sizes.leading.push_back(heads);
        sizes.heads *= heads;
        fits = fits && value.size(i) == shared;
        if (i == n - 3 && shared > 0 && heads % shared == 0) {
            sizes.share = heads / shared;
        } else {
            fits = fits && heads == shared;
        }
    }
    check(fits, "attention: query ", query.shape(), ", key ", key.shape(), " and value ",
          value.shape(), " do not belong together");
    sizes.causal = causal;
    sizes.scale = sizes.features == 0 ? 1.0 : scale;
    sizes.block = causal && sizes.queries <= kShortQueries ? kShortBlock : kBlockQueries;
    sizes.blocks = divide_up(sizes.queries, sizes.block);
    return sizes;
}

template <class T>
struct Inputs {
    Heads<const T> query, key, value;
    Mask mask;

    Inputs(const Sizes& sizes, const Array& q, const Array& k, const Array& v,
           const OptionalArray& m)
        : query(with_rows(q, dtype_of<T>)), key(with_rows(k, dtype_of<T>)),
          value(with_rows(v, dtype_of<T>)) {
        if (!m) return;
        Dims shape = sizes.leading;
        shape.push_back(sizes.queries);
        shape.push_back(sizes.keys);
        mask = Mask(*m, shape, dtype_of<T>);
    }
};

template <class T>
T additive(bool allowed) {
    return allowed ? T(0) : -std::numeric_limits<T>::infinity();
}
template <class T>
T additive(T number) {
    return number;
}

// Adds the mask to a tile; M is bool or T. `buffer` has room for two tiles.
template <class M, class T>
void add_mask(const Mask& mask, const Tile& tile, T* buffer, T* scores) {
    const auto& loops = attention_table().get<T>();
    const Index count = tile.keys * tile.width;
    const M* const from = reinterpret_cast<const M*>(mask.data) +
                          mask.offsets[std::size_t(tile.head)] + tile.query * mask.row +
                          tile.key * mask.column;
    if (mask.row == 0) {  // the same for all queries
        for (Index j = 0; j < tile.keys; ++j) buffer[j] = additive<T>(from[j * mask.column]);
        return loops.add_to_rows(tile.keys, tile.width, scores, buffer);
    }
    if (mask.column != 1) {
        for (Index j = 0; j < tile.keys; ++j) {
            T* const to = buffer + j * tile.width;
            for (Index i = 0; i < tile.queries; ++i) {
                to[i] = additive<T>(from[i * mask.row + j * mask.column]);
            }
            std::fill(to + tile.queries, to + tile.width, T(0));
        }
    } else if constexpr (std::is_same_v<M, bool>) {
        T* const rows = buffer + count;
        for (Index i = 0; i < tile.queries; ++i) {
            loops.additive(from + i * mask.row, rows + i * tile.keys, tile.keys);
        }
        loops.transpose(tile.queries, tile.keys, rows, tile.keys, buffer, tile.width);
    } else {
        loops.transpose(tile.queries, tile.keys, from, mask.row, buffer, tile.width);
    }
    loops.add(scores, buffer, count);
}

// scores = scale K Q^T + mask, (keys, width). `query` holds Q^T, (features, width). For one query
// scores are dot products, which read the keys once and compute nothing for lanes that are empty.
template <class T>
void score(const Sizes& sizes, const Inputs<T>& in, const Tile& tile, const T* query, T* mask,
           T* scores) {
    const Index head = tile.head / sizes.share;
    const T scale = T(sizes.scale);
    const T* const keys = in.key.rows(head, tile.key);
    if (tile.width == 1) {
        const auto& loops = attention_table().get<T>();
        loops.row_dots(tile.keys, sizes.features, keys, in.key.row, query, 0, scores);
        loops.scale_rows(1, tile.keys, scores, tile.keys, &scale);
    } else {
        product({tile.keys, tile.width, sizes.features, keys, in.key.row, 1, query, tile.width, 1,
                 scores, tile.width, scale, nullptr, 0});
    }
    if (in.mask.data && in.mask.boolean) {
        add_mask<bool>(in.mask, tile, mask, scores);
    } else if (in.mask.data) {
        add_mask<T>(in.mask, tile, mask, scores);
    }
    // Query i sees the keys 0 to i.
    const Index first = std::max<Index>(tile.query + 1 - tile.key, 0);
    if (sizes.causal && first < tile.keys) {
        attention_table().get<T>().hide(tile.keys - first, tile.width,
                                        tile.key + first - tile.query,
                                        scores + first * tile.width);
    }
}

// What backward needs of each query: the largest score, and 1 / sum(exp(score - largest)), 0 where
// no key is allowed.
template <class T>
struct Statistics {
    T* max;
    T* inverse;
};

template <class T>
void attend(const Sizes& sizes, const Inputs<T>& in, Index head, Index block, const Heads<T>& out,
            const Statistics<T>& statistics, T* memory) {
    const auto& loops = attention_table().get<T>();
    Tile tile;
    tile.head = head;
    tile.query = block * sizes.block;
    tile.queries = std::min(sizes.block, sizes.queries - tile.query);
    tile.width = tile.queries == 1 ? 1 : padded(tile.queries);
    const Index width = tile.width;
    T* const query = std::exchange(memory, memory + sizes.features * width);
    T* const scores = std::exchange(memory, memory + kTileKeys * width);
    T* const max = std::exchange(memory, memory + width);
    T* const sum = std::exchange(memory, memory + width);
    T* const factor = std::exchange(memory, memory + width);
    T* const mask = memory;
    loops.transpose(tile.queries, sizes.features, in.query.rows(head, tile.query), in.query.row,
                    query, width);
    std::fill_n(max, width, -std::numeric_limits<T>::infinity());
    std::fill_n(sum, width, T(0));
    T* const result = out.rows(head, tile.query);
    const Index seen = sizes.keys_seen(tile.query + tile.queries);
    for (tile.key = 0; tile.key < seen; tile.key += kTileKeys) {
        tile.keys = std::min(kTileKeys, seen - tile.key);
        score(sizes, in, tile, query, mask, scores);
        const bool shrinks =
            width == 1 ? loops.accumulate_row(tile.keys, scores, max, sum, factor)
                       : loops.accumulate(tile.keys, width, scores, max, sum, factor);
        const bool first = tile.key == 0;
        if (shrinks && !first) {
            loops.scale_rows(tile.queries, sizes.outputs, result, out.row, factor);
        }
        product({tile.queries, sizes.outputs, tile.keys, scores, 1, width,
                 in.value.rows(head / sizes.share, tile.key), in.value.row, 1, result, out.row,
                 T(1), first ? nullptr : result, out.row});
    }
    T* const kept_max = statistics.max + head * sizes.queries + tile.query;
    T* const kept_inverse = statistics.inverse + head * sizes.queries + tile.query;
    for (Index i = 0; i < tile.queries; ++i) {
        const bool none = sum[i] == T(0);
        kept_max[i] = none ? T(0) : max[i];
        kept_inverse[i] = none ? T(0) : T(1) / sum[i];
    }
    loops.scale_rows(tile.queries, sizes.outputs, result, out.row, kept_inverse);
}

// Fresh memory for (leading..., rows, columns), with the axes in the order that those of `like` have
// in memory: sequences are cut into heads and joined again without a copy.
Array heads_array(const Dims& leading, Index rows, Index columns, DType dtype, const Array& like) {
    Dims shape = leading;
    shape.push_back(rows);
    shape.push_back(columns);
    const int n = shape.size();
    Dims order(n), stored(n), back(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end() - 1, [&](Index a, Index b) {
        return like.stride(int(a)) > like.stride(int(b));
    });
    for (int i = 0; i < n; ++i) {
        stored[i] = shape[int(order[i])];
        back[int(order[i])] = i;
    }
    return Array::empty(stored, dtype).permute(back);
}

Array zeros_like(const Array& x) {
    fill(x, Scalar(0.0));
    return x;
}

DType compute_dtype(DType dtype) { return is_half(dtype) ? DType::F32 : dtype; }

// Runs unit(i, memory) for all units, several in a task where they are small.
template <class T, class F>
void for_units(Index units, double seconds, Index memory, F&& unit) {
    const Index each = std::clamp<Index>(Index(kTaskSeconds / seconds), 1, std::max<Index>(units, 1));
    parallel_for(divide_up(units, each), seconds * double(each), [&](Index task) {
        Buffer<T> buffer(memory);
        T* const start = buffer.take(memory);
        const Index end = std::min(units, (task + 1) * each);
        for (Index i = task * each; i < end; ++i) unit(i, start);
    });
}

// The result, and what backward needs: see Statistics.
std::tuple<Array, Array, Array> attention(const Array& query, const Array& key, const Array& value,
                                          const OptionalArray& mask, bool causal, double scale) {
    const Sizes sizes = sizes_of(query, key, value, causal, scale);
    const DType dtype = compute_dtype(query.dtype());
    Dims rows = sizes.leading;
    rows.push_back(sizes.queries);
    const Array out = heads_array(sizes.leading, sizes.queries, sizes.outputs, dtype, query);
    const Array max = Array::empty(rows, dtype), inverse = Array::empty(rows, dtype);
    if (max.nothing_to_compute() || sizes.keys == 0) {
        return {cast(zeros_like(out), query.dtype()), max, inverse};
    }
    dispatch_real("scaled_dot_product_attention", dtype, [&]<class T>() {
        const Inputs<T> in(sizes, query, key, value, mask);
        const Heads<T> result(out);
        const Statistics<T> statistics{max.data<T>(), inverse.data<T>()};
        const Index width = padded(std::min(sizes.block, sizes.queries));
        const Index memory = width * (sizes.features + (mask ? 3 : 1) * kTileKeys + 3);
        const double scores = double(width) * double(sizes.keys) / (causal ? 2 : 1);
        for_units<T>(sizes.heads * sizes.blocks, scores * sizes.seconds_per_score(), memory,
                     [&](Index unit, T* start) {
                         attend(sizes, in, unit / sizes.blocks, unit % sizes.blocks, result,
                                statistics, start);
                     });
    });
    return {cast(out, query.dtype()), max, inverse};
}

// ---- backward

struct Needs {
    bool query, key, value, mask;
};

template <class T>
struct Gradients {
    Heads<T> query, key, value, mask;
};

template <class T>
struct Upstream {
    Heads<const T> grad, out;
    Statistics<const T> statistics;
};

// A group of keys, and the number of its part of the queries' gradient.
struct Group {
    Index number, begin, end;
};

// All queries of one head against a group of keys: adds to the gradients of these, and writes their
// part of the gradient of the queries.
template <class T>
void undo_head(const Sizes& sizes, const Inputs<T>& in, const Upstream<T>& up, const Needs& needs,
               Index head, const Group& group, const Gradients<T>& grads, T* memory) {
    const auto& loops = attention_table().get<T>();
    const Index most = padded(std::min(sizes.block, sizes.queries));
    T* const query = std::exchange(memory, memory + sizes.features * most);
    T* const upstream = std::exchange(memory, memory + sizes.outputs * most);
    T* const weights = std::exchange(memory, memory + kTileKeys * most);
    T* const slopes = std::exchange(memory, memory + kTileKeys * most);
    T* const max = std::exchange(memory, memory + most);
    T* const inverse = std::exchange(memory, memory + most);
    T* const delta = std::exchange(memory, memory + most);
    T* const mask = memory;
    const Index shared = head / sizes.share, part = group.number * sizes.heads;
    Tile tile;
    tile.head = head;
    for (tile.query = 0; tile.query < sizes.queries; tile.query += sizes.block) {
        tile.queries = std::min(sizes.block, sizes.queries - tile.query);
        const Index width = tile.width = padded(tile.queries);
        T* const query_grad = needs.query ? grads.query.rows(part + head, tile.query) : nullptr;
        const Index seen = std::min(group.end, sizes.keys_seen(tile.query + tile.queries));
        if (seen <= group.begin) {
            for (Index i = 0; query_grad && i < tile.queries; ++i) {
                std::fill_n(query_grad + i * grads.query.row, sizes.features, T(0));
            }
            continue;
        }
        const T* const q = in.query.rows(head, tile.query);
        const T* const g = up.grad.rows(head, tile.query);
        loops.transpose(tile.queries, sizes.features, q, in.query.row, query, width);
        loops.transpose(tile.queries, sizes.outputs, g, up.grad.row, upstream, width);
        loops.row_dots(tile.queries, sizes.outputs, g, up.grad.row, up.out.rows(head, tile.query),
                       up.out.row, delta);
        const Index at = head * sizes.queries + tile.query;
        std::copy_n(up.statistics.max + at, tile.queries, max);
        std::copy_n(up.statistics.inverse + at, tile.queries, inverse);
        for (T* lanes : {max, inverse, delta}) {
            std::fill(lanes + tile.queries, lanes + width, T(0));
        }
        for (tile.key = group.begin; tile.key < seen; tile.key += kTileKeys) {
            tile.keys = std::min(kTileKeys, seen - tile.key);
            score(sizes, in, tile, query, mask, weights);
            loops.probabilities(tile.keys, width, weights, max, inverse);
            if (needs.value) {
                T* const to = grads.value.rows(shared, tile.key);
                product({tile.keys, sizes.outputs, tile.queries, weights, width, 1, g, up.grad.row,
                         1, to, grads.value.row, T(1), to, grads.value.row});
            }
            if (!(needs.query || needs.key || needs.mask)) continue;
            product({tile.keys, width, sizes.outputs, in.value.rows(shared, tile.key),
                     in.value.row, 1, upstream, width, 1, slopes, width, T(1), nullptr, 0});
            loops.score_gradients(tile.keys, width, weights, slopes, delta);
            if (needs.mask) {
                T* const to = grads.mask.rows(head, tile.query) + tile.key;
                for (Index i = 0; i < tile.queries; ++i) {
                    for (Index j = 0; j < tile.keys; ++j) {
                        to[i * grads.mask.row + j] = slopes[j * width + i];
                    }
                }
            }
            if (needs.key) {
                T* const to = grads.key.rows(shared, tile.key);
                product({tile.keys, sizes.features, tile.queries, slopes, width, 1, q,
                         in.query.row, 1, to, grads.key.row, T(sizes.scale), to, grads.key.row});
            }
            if (needs.query) {
                product({tile.queries, sizes.features, tile.keys, slopes, 1, width,
                         in.key.rows(shared, tile.key), in.key.row, 1, query_grad,
                         grads.query.row, T(sizes.scale),
                         tile.key == group.begin ? nullptr : query_grad, grads.query.row});
            }
        }
    }
}

template <class T>
void clear(const Heads<T>& x, Index head, const Group& group, Index columns) {
    for (Index i = group.begin; i < group.end; ++i) std::fill_n(x.rows(head, i), columns, T(0));
}

// to = the sum of the parts, (groups, ...) in the order of the groups.
template <class T>
void add_groups(const Sizes& sizes, const Array& parts, const Array& to) {
    const Heads<T> from(parts), sum(to);
    const auto& loops = attention_table().get<T>();
    const Index groups = parts.size(0), rows = sizes.block;
    for_ranges(sizes.heads * sizes.blocks, 1, double(rows * sizes.features * groups) * 0.3e-9,
               [&](Index unit, Index) {
                   const Index head = unit / sizes.blocks, first = unit % sizes.blocks * rows;
                   const Index last = std::min(first + rows, sizes.queries);
                   for (Index i = first; i < last; ++i) {
                       T* const row = sum.rows(head, i);
                       std::copy_n(from.rows(head, i), sizes.features, row);
                       for (Index g = 1; g < groups; ++g) {
                           loops.add(row, from.rows(g * sizes.heads + head, i), sizes.features);
                       }
                   }
               });
}

// The gradients of query, key, value and mask; None for those that are not needed.
std::tuple<Array, Array, Array, Array> attention_backward(
    const Array& grad, const Array& query, const Array& key, const Array& value,
    const OptionalArray& mask, const Array& out, const Array& max, const Array& inverse,
    bool causal, double scale, bool needs_query, bool needs_key, bool needs_value,
    bool needs_mask) {
    const Sizes sizes = sizes_of(query, key, value, causal, scale);
    const Needs needs{needs_query, needs_key, needs_value, needs_mask && mask};
    const DType dtype = compute_dtype(query.dtype());
    const Array none;
    const Dims shared(span_of(key.shape(), 0, key.ndim() - 2));
    const auto made = [&](bool needed, const Array& like, const Dims& leading) {
        const int n = like.ndim();
        return needed ? heads_array(leading, like.size(n - 2), like.size(n - 1), dtype, like) : none;
    };
    const Array dq = made(needs.query, query, sizes.leading);
    const Array dk = made(needs.key, key, shared), dv = made(needs.value, value, shared);
    Array dm;
    if (needs.mask) {
        Dims shape = sizes.leading;
        shape.push_back(sizes.queries);
        shape.push_back(sizes.keys);
        dm = causal ? Array::zeros(shape, dtype) : Array::empty(shape, dtype);
    }
    const bool nothing = max.nothing_to_compute() || sizes.keys == 0;
    if (nothing) {
        for (const Array& x : {dq, dk, dv, dm}) {
            if (x) zeros_like(x);
        }
    } else {
        dispatch_real("scaled_dot_product_attention", dtype, [&]<class T>() {
            const Inputs<T> in(sizes, query, key, value, mask);
            const Upstream<T> up{Heads<const T>(with_rows(grad, dtype)),
                                 Heads<const T>(with_rows(out, dtype)),
                                 {max.data<T>(), inverse.data<T>()}};
            const Index key_heads = sizes.heads / sizes.share;
            Index groups = std::min(divide_up(kBackwardTasks, key_heads),
                                    divide_up(sizes.keys, kKeysOfGroup));
            const Index keys_each = divide_up(divide_up(sizes.keys, groups), kTileKeys) * kTileKeys;
            groups = divide_up(sizes.keys, keys_each);
            Array parts = dq;
            if (needs.query && groups > 1) {
                Dims shape = sizes.leading;
                shape.insert(0, groups);
                shape.push_back(sizes.queries);
                shape.push_back(sizes.features);
                parts = Array::empty(shape, dtype);
            }
            const Gradients<T> grads{needs.query ? Heads<T>(parts) : Heads<T>(),
                                     needs.key ? Heads<T>(dk) : Heads<T>(),
                                     needs.value ? Heads<T>(dv) : Heads<T>(),
                                     needs.mask ? Heads<T>(dm) : Heads<T>()};
            const Index width = padded(std::min(sizes.block, sizes.queries));
            const Index memory = width * (sizes.features + sizes.outputs + 3 +
                                          (mask ? 4 : 2) * kTileKeys);
            const double scores = double(sizes.queries) * double(sizes.share) *
                                  double(std::min(keys_each, sizes.keys)) / (causal ? 2 : 1);
            for_units<T>(
                key_heads * groups, scores * 2.5 * sizes.seconds_per_score(), memory,
                [&](Index unit, T* start) {
                    const Index number = unit / key_heads, key_head = unit % key_heads;
                    const Index begin = number * keys_each;
                    const Group group{number, begin, std::min(sizes.keys, begin + keys_each)};
                    if (needs.key) clear(grads.key, key_head, group, sizes.features);
                    if (needs.value) clear(grads.value, key_head, group, sizes.outputs);
                    for (Index h = 0; h < sizes.share; ++h) {
                        undo_head(sizes, in, up, needs, key_head * sizes.share + h, group, grads,
                                  start);
                    }
                });
            if (needs.query && groups > 1) add_groups<T>(sizes, parts, dq);
        });
    }
    const auto finished = [&](const Array& x, DType wanted) { return x ? cast(x, wanted) : x; };
    return {finished(dq, query.dtype()), finished(dk, key.dtype()), finished(dv, value.dtype()),
            finished(dm, mask ? mask->dtype() : dtype)};
}

}  // namespace

void bind_attention(nanobind::module_& m) {
    using namespace nanobind::literals;
    m.def("attention", &attention, "query"_a, "key"_a, "value"_a, "mask"_a.none(), "causal"_a,
          "scale"_a);
    m.def("attention_backward", &attention_backward, "grad"_a, "query"_a, "key"_a, "value"_a,
          "mask"_a.none(), "out"_a, "max"_a, "inverse"_a, "causal"_a, "scale"_a,
          "needs_query"_a = true, "needs_key"_a = true, "needs_value"_a = true,
          "needs_mask"_a = true);
}

}  // namespace rushlight
