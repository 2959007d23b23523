// Running a Pass: its program, block by block, over tiles that follow from the space alone, never
// from the number of threads.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <tuple>

#include "array/launch.h"
#include "elementwise/pass.h"
#include "elementwise/pending.h"
#include "runtime/parallel.h"

namespace rushlight {

namespace {

// After so many blocks, about a millisecond, a tile that long looks whether to stop; less one.
constexpr Index kBlocksToStop = 1023;
constexpr double kPlanSeconds = 0.5e-6;
constexpr Index kShortRow = 32;  // columns up to which reductions down them take rows together
constexpr Index kNearRows = 16;  // so many floats of a column are added up before they go to double

template <class F>
void with_reg_type(Reg reg, F&& f) {
    switch (reg) {
        case Reg::Bool: return f.template operator()<std::uint8_t>();
        case Reg::Int: return f.template operator()<std::int64_t>();
        case Reg::Float: return f.template operator()<float>();
        case Reg::Double: return f.template operator()<double>();
        case Reg::Complex: return f.template operator()<Complex128>();
        case Reg::Unsigned: return f.template operator()<std::uint64_t>();
    }
}

template <class T>
T identity_of(Reduction kind) {
    if (kind == Reduction::Sum) return T(0);
    if (kind == Reduction::Prod) return T(1);
    if constexpr (std::is_floating_point_v<T>) {
        const T inf = std::numeric_limits<T>::infinity();
        return kind == Reduction::Max ? -inf : inf;
    } else if constexpr (sizeof(T) == 8) {
        return kind == Reduction::Max ? std::numeric_limits<T>::min()
                                      : std::numeric_limits<T>::max();
    } else {
        return kind == Reduction::Max ? T(0) : T(1);
    }
}

void fill_identity(std::byte* memory, Reg reg, Reduction kind, Index n) {
    with_reg_type(reg, [&]<class T>() {
        std::fill_n(reinterpret_cast<T*>(memory), n, identity_of<T>(kind));
    });
}

}  // namespace

// One thread's registers and position while it runs a tile.
class Pass::Runner {
public:
    Runner(const Pass& pass, std::byte* scratch)
        : pass_(pass),
          pointers_(pass.slots_.size()),
          ones_(pass.constants_.size()),
          near_(pass.reductions_.size()) {
        for (std::size_t i = 0; i < pass.slots_.size(); ++i)
            if (pass.slots_[i].physical >= 0)
                pointers_[i] = scratch + pass.offsets_[std::size_t(pass.slots_[i].physical)];
        const Index repeats = std::clamp<Index>(pass.block_ / pass.cols_, 1, pass.rows_);
        for (std::size_t i = 0; i < pass.slots_.size(); ++i)
            if (pass.slots_[i].fixed) {
                const Access& access = pass.leaves_[std::size_t(pass.slots_[i].index)].access;
                const Index stride = access.strides.back();
                if (stride == 0) load(pass.slots_[i], pointers_[i], access.base, 0, pass.block_);
                else
                    load_rows(pass.slots_[i], pointers_[i], access.base, 0, repeats, stride,
                              pass.cols_);
            }
        for (const auto& constant : pass.constants_)
            with_reg_type(reg_of(constant.dtype), [&]<class T>() {
                const Slot& slot = pass.slots_[std::size_t(constant.slot)];
                T value;
                dispatch(constant.dtype, [&]<class E>() {
                    if constexpr (std::is_same_v<T, std::uint8_t>) value = constant.value.to<bool>();
                    else value = rushlight::convert<T>(constant.value.to<E>());
                });
                const bool single = pass.single_[std::size_t(constant.slot)];
                if (single) pointers_[constant.slot] = &ones_[std::size_t(slot.index)];
                std::fill_n(static_cast<T*>(pointers_[constant.slot]), single ? 1 : pass.block_,
                            value);
            });
    }

    // `accumulators[r]` points to the first output of reduction r that this tile may touch minus
    // its offset, so that offsets of the whole reduction apply.
    void run(const Tile& tile, std::span<std::byte* const> accumulators) {
        tile_ = tile;
        for (std::size_t k = 0; k < near_.size(); ++k)
            if (pass_.reductions_[k].near)
                near_[k] = {std::vector<float>(std::size_t(tile.col_end - tile.col_begin)),
                            accumulators[k]};
        const int outer = pass_.dims_.size() - 1;
        Dims at(outer);
        Index rest = tile.row_begin;
        for (int d = outer - 1; d >= 0; --d) {
            at[d] = rest % pass_.dims_[d];
            rest /= pass_.dims_[d];
        }
        const Index rows_at_once =
            pass_.cols_ < pass_.block_ ? std::max<Index>(1, pass_.block_ / pass_.cols_) : 1;
        Index blocks = 0;
        for (Index r = tile.row_begin; r < tile.row_end; r += rows_at_once) {
            const Index rows = std::min(rows_at_once, tile.row_end - r);
            if (pass_.cols_ < pass_.block_) {
                block(r, rows, 0, pass_.cols_, at, accumulators);
                if ((++blocks & kBlocksToStop) == 0) pass_or_stop();
            } else {
                for (Index c = tile.col_begin; c < tile.col_end; c += pass_.block_) {
                    block(r, 1, c, std::min(pass_.block_, tile.col_end - c), at, accumulators);
                    if ((++blocks & kBlocksToStop) == 0) pass_or_stop();
                }
            }
            advance(at, rows);
        }
        for (Near& near : near_) near.flush();
    }

private:
    // Sums of columns as floats, on their way to the doubles of an accumulator.
    struct Near {
        std::vector<float> sums;
        std::byte* total = nullptr;  // of the first column
        Index row = -1;              // of the tile, the last one added

        void flush() {
            if (row < 0) return;
            const Index n = Index(sums.size());
            loops().reduce_columns[int(Reduction::Sum)][int(DType::F32)](total, sums.data(), n);
            std::fill_n(sums.data(), n, 0.0F);
            row = -1;
        }
    };

    // The memory of a leaf to its register.
    void load(const Slot& slot, void* dst, const std::byte* src, Index stride, Index n) const {
        const DType dtype = pass_.leaves_[std::size_t(slot.index)].access.dtype;
        const bool own = slot.reg == reg_of(dtype);
        (own ? loops().load : loops().load_float)[int(dtype)](dst, src, stride, n);
    }

    void load_rows(const Slot& slot, void* dst, const std::byte* src, Index row, Index rows,
                   Index stride, Index n) const {
        const DType dtype = pass_.leaves_[std::size_t(slot.index)].access.dtype;
        if (slot.reg == reg_of(dtype))
            return loops().load_rows[int(dtype)](dst, src, row, rows, stride, n);
        for (Index r = 0; r < rows; ++r)
            load(slot, static_cast<float*>(dst) + r * n, src + r * row, stride, n);
    }

    void advance(Dims& at, Index rows = 1) const {
        for (int d = at.size() - 1; d >= 0; --d) {
            at[d] += rows;
            if (at[d] < pass_.dims_[d]) return;
            rows = at[d] / pass_.dims_[d];
            at[d] %= pass_.dims_[d];
        }
    }

    // f(first, count, place) for `rows` rows from `at` on, in stretches along the axis of rows.
    template <class F>
    void each_stretch(Index rows, const Dims& at, F&& f) const {
        Dims walk = at;
        const int axis = at.size() - 1;
        for (Index r = 0; r < rows;) {
            const Index count = std::min(rows - r, pass_.dims_[axis] - walk[axis]);
            f(r, count, walk);
            r += count;
            walk[axis] += count - 1;
            advance(walk);
        }
    }

    static Index offset(const Dims& at, const Dims& strides) {
        Index sum = 0;
        for (int d = 0; d < at.size(); ++d) sum += at[d] * strides[d];
        return sum;
    }

    std::byte* address(const Access& access, Index row, Index col, const Dims& at) const {
        if (access.linear)
            return access.base + (row * pass_.cols_ + col) * Index(size_of(access.dtype));
        return access.base + offset(at, access.strides) + col * access.strides.back();
    }

    void block(Index row, Index rows, Index col, Index cols, const Dims& at,
               std::span<std::byte* const> accumulators) {
        const Index n = rows * cols;
        const LoopTable& table = loops();
        for (const int i : pass_.moving_) {
            const Slot& slot = pass_.slots_[std::size_t(i)];
            if (slot.out >= 0)
                pointers_[i] = address(pass_.outputs_[slot.out].access, row, col, at);
            if (slot.kind != Slot::Leaf) continue;
            const Access& access = pass_.leaves_[slot.index].access;
            if (slot.direct) {
                auto* here = address(access, row, col, at);
                pointers_[i] = here;
                const Index bytes = n * Index(size_of(access.dtype));
                if (pass_.ahead_ && access.linear) fetch(here + bytes, bytes);
                continue;
            }
            auto* dst = static_cast<std::byte*>(pointers_[i]);
            const Index stride = access.strides.back();
            if (rows == 1 || access.linear) {
                load(slot, dst, address(access, row, col, at), stride, n);
                continue;
            }
            const Index bytes = cols * Index(reg_size(slot.reg));
            each_stretch(rows, at, [&](Index r, Index count, const Dims& walk) {
                load_rows(slot, dst + r * bytes, address(access, row + r, col, walk),
                          access.strides[at.size() - 1], count, stride, cols);
            });
        }
        for (const Instruction& instruction : pass_.program_) {
            if (instruction.column >= 0 && rows > 1) {
                with_column(instruction, rows, cols, at);
                continue;
            }
            const void* sources[kMostOperands];
            for (int s = 0; s < instruction.arity; ++s)
                sources[s] = pointers_[instruction.src[s]];
            instruction.loop(pointers_[instruction.dst], sources, n);
        }
        for (const Output& output : pass_.outputs_) {
            if (output.direct) continue;
            auto* src = static_cast<const std::byte*>(pointers_[output.slot]);
            const Access& access = output.access;
            const Index stride = access.strides.back();
            if (rows == 1 || access.linear) {
                table.store[int(access.dtype)](address(access, row, col, at), stride, src, n);
                continue;
            }
            const Index bytes = cols * Index(reg_size(pass_.slots_[output.slot].reg));
            each_stretch(rows, at, [&](Index r, Index count, const Dims& walk) {
                table.store_rows[int(access.dtype)](address(access, row + r, col, walk),
                                                    access.strides[at.size() - 1], count, stride,
                                                    src + r * bytes, cols);
            });
        }
        for (std::size_t k = 0; k < pass_.reductions_.size(); ++k)
            accumulate(k, accumulators[k], row, rows, col, cols, at);
    }

    static void fetch(const std::byte* from, Index bytes) {
        for (Index line = 0; line < bytes; line += 64) __builtin_prefetch(from + line, 0, 2);
    }

    // An instruction on rows of which each has one value as its operand number `column`.
    void with_column(const Instruction& instruction, Index rows, Index cols, const Dims& at) {
        const int one = instruction.column;
        const Slot& leaf = pass_.slots_[std::size_t(instruction.src[one])];
        const Access& access = pass_.leaves_[std::size_t(leaf.index)].access;
        const WithOneRowsLoop loop =
            loops().with_one_rows[instruction.table_row][one][int(instruction.reg)];
        const Index bytes = cols * Index(reg_size(instruction.reg));
        auto* dst = static_cast<std::byte*>(pointers_[instruction.dst]);
        auto* src = static_cast<const std::byte*>(pointers_[instruction.src[1 - one]]);
        each_stretch(rows, at, [&](Index r, Index count, const Dims& walk) {
            loop(dst + r * bytes, src + r * bytes,
                 access.base + offset(walk, access.strides), access.strides[at.size() - 1], count,
                 cols);
        });
    }

    void accumulate(std::size_t number, std::byte* accumulator, Index row, Index rows, Index col,
                    Index cols, const Dims& at) {
        const Reduce& reduction = pass_.reductions_[number];
        const LoopTable& table = loops();
        const int kind = int(reduction.kind), source = int(reduction.source);
        auto* src = static_cast<const std::byte*>(pointers_[reduction.slot]);
        const Index size = Index(reg_size(reduction.accumulator));
        const Index bytes = cols * Index(size_of(reduction.source));
        const bool across = reduction.strides.back() == 0;
        if (rows == 1 && !reduction.near) {
            const Index o = offset(at, reduction.strides) + col * reduction.strides.back();
            if (across) table.reduce_rows[kind][source](accumulator + o * size, 0, src, 1, cols);
            else table.reduce_columns[kind][source](accumulator + o * size, src, cols);
            return;
        }
        // Stretches of rows whose results lie side by side, or are all the same.
        const Index step = reduction.strides[at.size() - 1];
        each_stretch(rows, at, [&](Index r, Index count, const Dims& walk) {
            const Index o = offset(walk, reduction.strides);
            std::byte* first = accumulator + o * size;
            const std::byte* from = src + r * bytes;
            if (across) {
                table.reduce_rows[kind][source](first, step, from, count, cols);
            } else if (reduction.near) {
                first += tile_.col_begin * size;
                for (Index k = 0; k < count;) {
                    const Index of_tile = row + r + k - tile_.row_begin;
                    const Index now = std::min(count - k, kNearRows - of_tile % kNearRows);
                    add_near(near_[number], first, of_tile, from + k * bytes, reduction.source, now,
                             col - tile_.col_begin, cols);
                    k += now;
                }
            } else if (step == 0) {
                table.reduce_rows_columns[kind][source](first, 0, from, count, cols);
            } else {
                for (Index k = 0; k < count; ++k)
                    table.reduce_columns[kind][source](first + k * step * size, from + k * bytes,
                                                       cols);
            }
        });
    }

    // Rows of a tile from `row` on, none of which crosses a multiple of kNearRows, onto the floats
    // of their columns. What these have goes to the doubles at such a multiple, and before the
    // rows of another result: values do not depend on how many rows come at once.
    void add_near(Near& near, std::byte* total, Index row, const std::byte* src, DType source,
                  Index rows, Index col, Index cols) {
        if (near.total != total || row / kNearRows != near.row / kNearRows) near.flush();
        near.total = total;
        near.row = row + rows - 1;
        loops().add_rows[int(source)](near.sums.data() + col, 0, src, rows, cols);
    }

    const Pass& pass_;
    std::vector<void*> pointers_;
    std::vector<Complex128> ones_;  // constants of which one value is enough
    std::vector<Near> near_;        // by reduction
    Tile tile_{};
};

namespace {

// Registers are written before they are read, so a thread's scratch needs no clearing.
std::byte* scratch(std::size_t bytes) {
    thread_local std::vector<std::byte> memory;
    if (memory.size() < bytes + 64) memory.resize(bytes + 64);
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (64 - address % 64) % 64;
}

}  // namespace

// The accumulator, divided for a mean, converted to the dtype of the result.
void Pass::finish(Reduce& reduction) const {
    const Index n = reduction.outputs;
    std::byte* total = reduction.total.data();
    if (reduction.mean) {
        Index count = 1;
        for (int d = 0; d < space_.size(); ++d)
            if ((reduction.axes >> d) & 1) count *= space_[d];
        with_reg_type(reduction.accumulator, [&]<class T>() {
            if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, Complex128>)
                for (Index i = 0; i < n; ++i) reinterpret_cast<T*>(total)[i] /= double(count);
        });
    }
    const LoopTable& table = loops();
    const DType dtype = reduction.result;
    const void* source[1] = {total};
    std::vector<std::byte> converted;
    if (reg_of(dtype) != reduction.accumulator) {
        converted.resize(std::size_t(n) * reg_size(reg_of(dtype)));
        table.convert[int(reduction.accumulator)][int(reg_of(dtype))](converted.data(), source, n);
        source[0] = converted.data();
    }
    table.store[int(dtype)](reduction.to, Index(size_of(dtype)), source[0], n);
}

namespace {

// RUSHLIGHT_DEBUG=1 tells of every fused loop: what it reads, computes and writes, and how long.
const bool g_debug = [] {
    const char* value = std::getenv("RUSHLIGHT_DEBUG");
    return value && *value && *value != '0';
}();

}  // namespace

// The arrays that the pass reads and writes; from now on it knows their addresses alone.
std::vector<Array> Pass::take_arrays() {
    std::vector<Array> arrays;
    arrays.reserve(leaves_.size() + outputs_.size() + reductions_.size());
    for (auto& leaf : leaves_) arrays.push_back(std::move(leaf.array));
    for (auto& output : outputs_) arrays.push_back(std::move(output.array));
    for (auto& reduction : reductions_) arrays.push_back(std::move(reduction.out));
    return arrays;
}

void Pass::run() {
    collapse();
    const std::vector<Array> arrays = take_arrays();
    std::vector<const Array*> touches;
    touches.reserve(arrays.size());
    for (const Array& array : arrays) touches.push_back(&array);
    if (rows_ * cols_ > kTileElements) {  // more than one tile: work for all threads
        wait_for(touches);
        return run_collapsed();
    }
    double seconds = kPlanSeconds;
    for (const auto& instruction : program_)
        seconds += 1e-9 * instruction.cost * double(rows_ * cols_);
    if (!is_handed_over(seconds, touches)) return run_collapsed();
    hand_over(touches, [pass = std::make_unique<Pass>(std::move(*this)).release()] {
        std::unique_ptr<Pass>(pass)->run_collapsed();
    });
}

void Pass::run_collapsed() {
    if (!g_debug) return run_tiles();
    const auto start = std::chrono::steady_clock::now();
    run_tiles();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    std::fprintf(stderr,
                 "rushlight: loop over %s: %zu inputs, %zu operations, %zu outputs, %zu reductions, "
                 "%d registers, blocks of %d: %.1f us\n",
                 space_.str().c_str(), leaves_.size(), program_.size(), outputs_.size(),
                 reductions_.size(), physical_, int(block_), took.count());
}

// The first output that a tile can touch, and up to which other one, as a count.
std::pair<Index, Index> Pass::outputs_of(const Reduce& reduction, const Tile& tile) const {
    const Dims& strides = reduction.strides;
    Index from = tile.row_begin, to = tile.row_end - 1, rows = rows_;
    Index first = tile.col_begin * strides.back(), last = (tile.col_end - 1) * strides.back();
    for (int d = 0; d + 1 < dims_.size(); ++d) {
        rows /= dims_[d];
        first += from / rows * strides[d];
        last += to / rows * strides[d];
        if (from / rows != to / rows) {  // all of the inner axes
            for (int i = d + 1; i + 1 < dims_.size(); ++i) last += (dims_[i] - 1) * strides[i];
            break;
        }
        from %= rows;
        to %= rows;
    }
    return {first, last - first + 1};
}

void Pass::run_tiles() {
    plan();
    for (auto& reduction : reductions_) {
        reduction.total.resize(std::size_t(reduction.outputs) * reg_size(reduction.accumulator));
        fill_identity(reduction.total.data(), reduction.accumulator, reduction.kind,
                      reduction.outputs);
    }
    const std::vector<Tile> tiles = make_tiles();
    const bool shared = tiles.size() <= 1 || by_columns();
    for (auto& reduction : reductions_) {
        const Slot& slot = slots_[std::size_t(reduction.slot)];
        reduction.source = slot.reg == Reg::Bool && reduction.accumulator == Reg::Int
                               ? DType::U8
                           : slot.kind == Slot::Leaf && slot.direct
                               ? leaves_[std::size_t(slot.index)].access.dtype
                               : dtype_of_reg(slot.reg);
        reduction.near = reduction.kind == Reduction::Sum && slot.reg == Reg::Float &&
                         reduction.strides.back() != 0 && cols_ >= kShortRow && rows_ > 1 &&
                         reduction.strides[dims_.size() - 2] == 0;
    }
    double seconds = 0.05e-9 * double(leaves_.size() + outputs_.size() + 1);
    for (const auto& instruction : program_) seconds += 1e-9 * instruction.cost;
    if (!tiles.empty()) seconds *= double(rows_ * cols_) / double(tiles.size());

    struct Partial {
        std::vector<std::byte> memory;
        Index first = 0, count = 0;
    };
    const std::size_t kinds = reductions_.size();
    std::vector<Partial> partials(shared ? 0 : tiles.size() * kinds);
    // Whole rows with a result each: no two tiles meet in one.
    std::vector<bool> own(kinds);
    for (std::size_t k = 0; k < kinds && !tiles.empty(); ++k) {
        const auto strides = std::span(reductions_[k].strides.begin(), dims_.size() - 1);
        own[k] = tiles[0].col_end - tiles[0].col_begin == cols_ &&
                 std::ranges::none_of(strides, [](Index stride) { return stride == 0; });
    }
    parallel_for(Index(tiles.size()), seconds, [&](Index t) {
        std::vector<std::byte*> accumulators(kinds);
        for (std::size_t k = 0; k < kinds; ++k) {
            Reduce& reduction = reductions_[k];
            const Index size = Index(reg_size(reduction.accumulator));
            if (shared || own[k]) {
                accumulators[k] = reduction.total.data();
                continue;
            }
            Partial& partial = partials[std::size_t(t) * kinds + k];
            std::tie(partial.first, partial.count) = outputs_of(reduction, tiles[t]);
            partial.memory.resize(std::size_t(partial.count * size));
            fill_identity(partial.memory.data(), reduction.accumulator, reduction.kind,
                          partial.count);
            accumulators[k] = partial.memory.data() - partial.first * size;
        }
        Runner(*this, scratch(scratch_bytes_)).run(tiles[t], accumulators);
    });
    if (!shared)
        for (std::size_t t = 0; t < tiles.size(); ++t)
            for (std::size_t k = 0; k < kinds; ++k) {
                if (own[k]) continue;
                Reduce& reduction = reductions_[k];
                Partial& partial = partials[t * kinds + k];
                std::byte* total = reduction.total.data() +
                                   partial.first * Index(reg_size(reduction.accumulator));
                const DType from = dtype_of_reg(reduction.accumulator);
                loops().reduce_columns[int(reduction.kind)][int(from)](
                    total, partial.memory.data(), partial.count);
                partial.memory = {};
            }
    for (auto& reduction : reductions_) finish(reduction);
}

}  // namespace rushlight
