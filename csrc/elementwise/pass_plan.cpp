// What a Pass decides before it runs: the order of its axes, which instructions it can save, which
// registers its values take, and how the space is cut into tiles.
#include <algorithm>
#include <limits>

#include "elementwise/pass.h"
#include "elementwise/pending.h"
#include "elementwise/transpose.h"

namespace rushlight {

namespace {

// Tiles depend on the space alone, never on the number of threads.
constexpr Index kMostTiles = 1 << 20;
constexpr Index kLongestBlock = 1024;  // of values that go through registers
constexpr std::size_t kRegisterBudget = 26 * 1024;  // bytes of first-level cache for registers
constexpr Index kLongRow = 192;  // columns from which a row may be a block of its own
constexpr Index kColumnFrom = 8;  // columns from which the one value of a row is read where it is
constexpr Index kReorderFrom = 256;  // elements from which the order of the axes counts
constexpr Index kFarFrom = 1 << 19;  // elements that no cache of a core holds
constexpr Index kTransposeFrom = 1024;  // and from which it pays to transpose what is read

}  // namespace

// Walks the axes in the order in which memory is written or, by reductions alone, read. What then
// is read across its rows is transposed first: whole lines of the cache at a time.
void Pass::order_axes(std::span<Dims* const> all) {
    dims_ = space_;
    const int rank = dims_.size();
    const Dims* key = outputs_.empty() ? nullptr : &outputs_[0].access.strides;
    for (const auto& leaf : leaves_) {
        const Dims& strides = leaf.access.strides;
        bool whole = true;  // not broadcast
        for (int d = 0; d < rank; ++d) whole &= strides[d] != 0 || space_[d] == 1;
        if (!key && whole) key = &strides;
    }
    if (!key || rank < 2 || dims_.product() < kReorderFrom) return;
    Dims order(rank);
    for (int d = 0; d < rank; ++d) order[d] = d;
    const auto distance = [&](Index d) {  // axes of size 1 come first
        return space_[int(d)] == 1 ? std::numeric_limits<Index>::max() : (*key)[int(d)];
    };
    bool moved = false;
    for (int d = 1; d < rank; ++d)  // by insertion: axes are few, and mostly in order
        for (int at = d; at > 0 && distance(order[at - 1]) < distance(order[at]); --at) {
            std::swap(order[at - 1], order[at]);
            moved = true;
        }
    // Results of a reduction lie side by side along the last axis, unless it is reduced.
    for (const auto& reduction : reductions_)
        if (reduction.strides[int(order.back())] > 1) return;
    const auto ordered = [&](const Dims& values) {
        Dims result(rank);
        for (int d = 0; d < rank; ++d) result[d] = values[int(order[d])];
        return result;
    };
    if (moved) {
        dims_ = ordered(dims_);
        for (Dims* strides : all) *strides = ordered(*strides);
    }
    if (dims_.product() < kTransposeFrom) return;
    for (auto& leaf : leaves_) {
        if (leaf.array.shape() != space_) continue;
        const Array there = leaf.array.permute(order);
        if (!lies_across(there, contiguous_strides(there.shape()))) continue;
        const Index size = Index(leaf.array.itemsize());
        leaf.array = clone(there);
        leaf.access.base = leaf.array.address();
        for (int d = 0; d < rank; ++d) leaf.access.strides[d] = leaf.array.stride(d) * size;
    }
}

// Drops axes of size 1 and joins neighbours that every access walks as one.
void Pass::collapse() {
    std::vector<Dims*> all;
    all.reserve(leaves_.size() + outputs_.size() + reductions_.size());
    for (auto& leaf : leaves_) all.push_back(&leaf.access.strides);
    for (auto& output : outputs_) all.push_back(&output.access.strides);
    for (auto& reduction : reductions_) all.push_back(&reduction.strides);
    order_axes(all);
    for (int d = dims_.size() - 1; d >= 0; --d)
        if (dims_[d] == 1) {
            dims_.erase(d);
            for (Dims* strides : all) strides->erase(d);
        }
    for (int d = dims_.size() - 2; d >= 0; --d) {
        bool joins = true;
        for (const Dims* strides : all)
            joins &= (*strides)[d] == (*strides)[d + 1] * dims_[d + 1];
        if (!joins) continue;
        dims_[d + 1] *= dims_[d];
        dims_.erase(d);
        for (Dims* strides : all) strides->erase(d);
    }
    if (dims_.empty()) {
        dims_.push_back(1);
        for (Dims* strides : all) strides->push_back(0);
    }
    cols_ = dims_.back();
    rows_ = 1;
    for (int d = 0; d + 1 < dims_.size(); ++d) rows_ *= dims_[d];
    auto mark_linear = [&](Access& access) {
        Index expected = Index(size_of(access.dtype));
        access.linear = true;
        for (int d = dims_.size() - 1; d >= 0; --d) {
            access.linear &= access.strides[d] == expected || dims_[d] == 1;
            expected *= dims_[d];
        }
    };
    for (auto& leaf : leaves_) mark_linear(leaf.access);
    for (auto& output : outputs_) mark_linear(output.access);
}

// A store rounds: what is only stored need not be rounded before.
void Pass::drop_roundings() {
    const auto rounds = [](const Instruction& instruction) { return instruction.rounds_to >= 0; };
    if (std::ranges::none_of(program_, rounds)) return;
    std::vector<bool> read(slots_.size());
    for (const auto& instruction : program_)
        for (int s = 0; s < instruction.arity; ++s) read[std::size_t(instruction.src[s])] = true;
    for (const auto& reduction : reductions_) read[std::size_t(reduction.slot)] = true;
    std::erase_if(program_, [&](const Instruction& instruction) {
        if (instruction.rounds_to < 0 || read[std::size_t(instruction.dst)]) return false;
        for (const auto& output : outputs_)
            if (output.slot == instruction.dst && int(output.access.dtype) != instruction.rounds_to)
                return false;
        for (auto& output : outputs_)
            if (output.slot == instruction.dst) output.slot = instruction.src[0];
        return true;
    });
}

// A sum of truth values as int64 is one of their bytes.
void Pass::count_truths() {
    if (reductions_.empty()) return;
    const PointwiseLoop widen = loops().convert[int(Reg::Bool)][int(Reg::Int)];
    std::vector<bool> dropped(slots_.size());
    for (auto& reduction : reductions_) {
        const auto writer = std::ranges::find(program_, reduction.slot, &Instruction::dst);
        if (reduction.kind != Reduction::Sum || writer == program_.end() || writer->loop != widen)
            continue;
        dropped[std::size_t(reduction.slot)] = true;
        reduction.slot = writer->src[0];
    }
    const std::vector<bool> computed = computed_with();
    std::erase_if(program_, [&](const Instruction& instruction) {
        const auto dst = std::size_t(instruction.dst);
        return dropped[dst] && !computed[dst] &&
               std::ranges::find(reductions_, instruction.dst, &Reduce::slot) == reductions_.end();
    });
}

// a * b + c and the like as one loop, where nothing else reads the first result: it never goes
// through memory. Each operation still rounds, so values are the same.
void Pass::join_pairs() {
    if (program_.size() < 2) return;
    std::vector<int> uses(slots_.size()), writer(slots_.size(), -1);
    for (const auto& instruction : program_)
        for (int s = 0; s < instruction.arity; ++s) ++uses[std::size_t(instruction.src[s])];
    for (const auto& output : outputs_) uses[std::size_t(output.slot)] += 2;
    for (const auto& reduction : reductions_) uses[std::size_t(reduction.slot)] += 2;
    static const int add = row_named("add"), sub = row_named("sub"), mul = row_named("mul");
    const auto column = [this](int slot) {  // read once for a row, unless by a pair
        return slots_[slot].kind == Slot::Leaf && cols_ >= kColumnFrom &&
               leaves_[std::size_t(slots_[slot].index)].access.strides.back() == 0;
    };
    std::vector<bool> joined(program_.size());
    for (std::size_t i = 0; i < program_.size(); ++i) {
        Instruction& instruction = program_[i];
        writer[std::size_t(instruction.dst)] = int(i);
        const int row = instruction.row;
        if (row != add && row != sub && row != mul) continue;
        for (int s = 0; s < 2; ++s) {
            const int source = instruction.src[s];
            if (uses[std::size_t(source)] != 1 || writer[std::size_t(source)] < 0) continue;
            const Instruction& first = program_[std::size_t(writer[std::size_t(source)])];
            if (first.row != add && first.row != sub && first.row != mul) continue;
            if (column(first.src[0]) || column(first.src[1]) || column(instruction.src[1 - s]))
                continue;
            const Inner inner = first.row == add ? Inner::Add : first.row == mul ? Inner::Mul
                                                                                : Inner::Sub;
            const Outer outer = row == add   ? Outer::Add
                                : row == mul ? Outer::Mul
                                : s == 0     ? Outer::Sub
                                             : Outer::SubFrom;
            joined[std::size_t(writer[std::size_t(source)])] = true;
            instruction = {loops().pair[int(outer)][int(inner)], instruction.dst,
                           {first.src[0], first.src[1], instruction.src[1 - s]}, 3, 0.2};
            break;
        }
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < program_.size(); ++i)
        if (!joined[i]) program_[kept++] = program_[i];
    program_.resize(kept);
}

// Whether a leaf is the same for every block: one value, or a row for all rows where blocks are
// whole rows.
bool Pass::is_fixed(const Access& access) const {
    const auto& strides = access.strides;
    return std::all_of(strides.begin(), strides.end() - 1, [](Index s) { return s == 0; }) &&
           (strides.back() == 0 || (cols_ < block_ && rows_ > 1));
}

// Operands that have one value for all or for a row, constants and columns, are read once instead
// of from a block full of them, where there is a loop for that.
unsigned Pass::ones_of(Instruction& instruction) const {
    const int row = instruction.table_row, reg = int(instruction.reg);
    if (row < 0) return 0;
    const LoopTable& table = loops();
    const auto column = [&](int s) {
        const Slot& slot = slots_[std::size_t(instruction.src[s])];
        return is_column(slot) && !is_fixed(leaves_[std::size_t(slot.index)].access);
    };
    const auto is_one = [&](int s) {
        const Slot& slot = slots_[std::size_t(instruction.src[s])];
        if (column(s)) return s < 2 && table.with_one_rows[row][s][reg] != nullptr;
        return slot.kind == Slot::Constant || is_column(slot);
    };
    const int last = row_info(row).last();
    bool all = table.one_last[row][reg] != nullptr;
    for (int s = last; s < instruction.arity; ++s) all = all && is_one(s);
    if (!all && !(table.one_first[row][reg] && is_one(0))) return 0;
    instruction.loop = (all ? table.one_last : table.one_first)[row][reg];
    const int first = all ? last : 0;
    if (column(first)) instruction.column = first;
    return (all ? (1u << instruction.arity) - 1 : 1u) & ~((1u << first) - 1);
}

void Pass::use_ones() {
    std::vector<int> uses(slots_.size());
    for (const auto& output : outputs_) ++uses[std::size_t(output.slot)];
    for (const auto& reduction : reductions_) ++uses[std::size_t(reduction.slot)];
    for (auto& instruction : program_) {
        instruction.ones = ones_of(instruction);
        for (int s = 0; s < instruction.arity; ++s)
            uses[std::size_t(instruction.src[s])] += !((instruction.ones >> s) & 1u);
    }
    single_.assign(slots_.size(), false);
    for (std::size_t i = 0; i < slots_.size(); ++i)
        single_[i] = (is_column(slots_[i]) || slots_[i].kind == Slot::Constant) && uses[i] == 0;
}

// Where all there is to do is one operation on arrays of a dtype that has a loop for its memory.
void Pass::use_narrow() {
    if (program_.size() != 1 || outputs_.size() != 1 || !reductions_.empty()) return;
    if (cols_ == 1) return;  // a single value is read once, into a register
    Instruction& instruction = program_[0];
    const Output& output = outputs_[0];
    if (instruction.table_row < 0 || output.slot != instruction.dst || !output.access.linear) return;
    const Slot& first = slots_[std::size_t(instruction.src[0])];
    if (first.kind != Slot::Leaf) return;
    const DType dtype = leaves_[std::size_t(first.index)].access.dtype;
    for (int s = 0; s < instruction.arity; ++s) {
        const Slot& slot = slots_[std::size_t(instruction.src[s])];
        if (slot.kind == Slot::Constant && ((instruction.ones >> s) & 1u)) continue;
        if (slot.kind != Slot::Leaf) return;
        const Access& access = leaves_[std::size_t(slot.index)].access;
        if (access.dtype != dtype || slot.reg != reg_of(dtype) || !access.linear) return;
    }
    const auto& narrow = instruction.ones ? loops().narrow_one_last : loops().narrow;
    const PointwiseLoop loop = narrow[instruction.table_row][int(dtype)];
    const DType result = slots_[std::size_t(instruction.dst)].reg == Reg::Bool ? DType::Bool : dtype;
    if (!loop || output.access.dtype != result) return;
    instruction.loop = loop;
    narrow_ = true;
}

// Whether the slot is a leaf with one value for each row, or for all.
bool Pass::is_column(const Slot& slot) const {
    if (slot.kind != Slot::Leaf || cols_ < kColumnFrom || slot.reg == Reg::Int) return false;
    const Access& access = leaves_[std::size_t(slot.index)].access;
    return access.strides.back() == 0 && plain_layout(access.dtype) &&
           slot.reg == reg_of(access.dtype);
}

// The slots that instructions or outputs read. Others are reduced, and loops for that read any memory.
std::vector<bool> Pass::computed_with() const {
    std::vector<bool> read(slots_.size());
    for (const auto& instruction : program_)
        for (int s = 0; s < instruction.arity; ++s) read[std::size_t(instruction.src[s])] = true;
    for (const auto& output : outputs_) read[std::size_t(output.slot)] = true;
    return read;
}

// Linear scan: a register is free again after the last instruction that reads it.
void Pass::allocate_registers() {
    const int end = int(program_.size());
    for (int i = 0; i < end; ++i) {
        for (int s = 0; s < program_[i].arity; ++s) slots_[program_[i].src[s]].last = i;
        slots_[program_[i].dst].first = i;
    }
    for (auto& reduction : reductions_) slots_[reduction.slot].last = end;
    const bool whole_rows = cols_ < block_, reduces = !reductions_.empty();
    const std::vector<bool> computed = reduces ? computed_with() : std::vector<bool>();
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (Slot& slot = slots_[i]; slot.kind == Slot::Leaf) {
            const Access& access = leaves_[slot.index].access;
            slot.fixed = is_fixed(access) && !single_[i];
            slot.direct = !slot.fixed && slot.reg == reg_of(access.dtype) &&
                          (plain_layout(access.dtype) || narrow_ || (reduces && !computed[i])) &&
                          (access.linear || single_[i] ||
                           (!whole_rows && access.strides.back() == Index(size_of(access.dtype))));
        }
    for (std::size_t o = 0; o < outputs_.size(); ++o) {
        Output& output = outputs_[o];
        Slot& slot = slots_[output.slot];
        const bool gathered = slot.kind == Slot::Leaf && !slot.direct && !slot.fixed;
        output.direct = (slot.kind == Slot::Temporary || gathered) && slot.out < 0 &&
                        (plain_layout(output.access.dtype) || narrow_) &&
                        (output.access.linear ||
                         (!whole_rows &&
                          output.access.strides.back() == Index(size_of(output.access.dtype))));
        if (output.direct) slot.out = int(o);
        else slot.last = end;  // stored when the block is done
    }
    std::vector<std::pair<int, std::size_t>> free;  // register, bytes of a value
    std::vector<std::size_t> sizes;
    auto take = [&](std::size_t size) {
        for (auto it = free.begin(); it != free.end(); ++it)
            if (it->second == size) {
                const int physical = it->first;
                free.erase(it);
                return physical;
            }
        sizes.push_back(size);
        return int(sizes.size()) - 1;
    };
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        Slot& slot = slots_[i];  // constants and gathered leaves live through the block
        if (slot.out < 0 && ((slot.kind == Slot::Constant && !single_[i]) ||
                             (slot.kind == Slot::Leaf && !slot.direct)))
            slot.physical = take(reg_size(slot.reg));
    }
    for (int i = 0; i < end; ++i) {
        Slot& dst = slots_[program_[i].dst];
        // Sources that end here may be overwritten in place when the widths agree.
        std::vector<std::pair<int, std::size_t>> ending;
        for (int s = 0; s < program_[i].arity; ++s) {
            Slot& source = slots_[program_[i].src[s]];
            if (source.kind != Slot::Temporary || source.last != i || source.physical < 0) continue;
            ending.push_back({source.physical, reg_size(source.reg)});
            source.last = -1;  // once, also where an instruction reads it twice
        }
        for (auto& reg : ending)
            if (reg.second == reg_size(dst.reg)) free.push_back(reg);
        if (dst.out < 0) dst.physical = take(reg_size(dst.reg));
        for (auto& reg : ending)
            if (reg.second != reg_size(dst.reg)) free.push_back(reg);
        if (dst.last < 0 && dst.physical >= 0)  // nobody reads it
            free.push_back({dst.physical, reg_size(dst.reg)});
    }
    moving_.clear();
    moving_.reserve(slots_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if ((slots_[i].kind == Slot::Leaf && !slots_[i].fixed) || slots_[i].out >= 0)
            moving_.push_back(int(i));
    physical_ = int(sizes.size());
    // One line apart from each other: registers at equal distances of 4 KiB would fight for the
    // same lines of the cache.
    offsets_.clear();
    scratch_bytes_ = 0;
    for (std::size_t size : sizes) {
        offsets_.push_back(scratch_bytes_);
        scratch_bytes_ += (std::size_t(block_) * size + 127) / 64 * 64;
    }
}

// Whether rows are worth a block each: a row that lies side by side, or a row's one value, is read
// where it is, while rows that are taken together are first put together.
bool Pass::by_rows() const {
    if (cols_ >= block_ || cols_ < kLongRow) return false;
    const auto apart = [this](const Access& access) {
        return !access.linear && !is_fixed(access) && plain_layout(access.dtype) &&
               (access.strides.back() == Index(size_of(access.dtype)) ||
                access.strides.back() == 0);
    };
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (slots_[i].kind == Slot::Leaf && !single_[i] &&
            apart(leaves_[std::size_t(slots_[i].index)].access))
            return true;
    return std::ranges::any_of(outputs_, [&](const Output& out) { return apart(out.access); });
}

// Reductions down long columns: tiles take columns, so that no two share an accumulator.
bool Pass::by_columns() const {
    if (reductions_.empty() || cols_ < 2048 || rows_ == 1) return false;
    for (const auto& reduction : reductions_)
        if (reduction.strides.back() == 0) return false;
    return true;
}

std::vector<Pass::Tile> Pass::make_tiles() const {
    std::vector<Tile> tiles;
    const Index total = rows_ * cols_;
    if (total == 0) return tiles;
    // An expanded tensor can have more elements than there is memory for tiles.
    const Index elements = std::max<Index>(kTileElements, total / kMostTiles / 64 * 64);
    if (by_columns()) {
        const Index width = std::max<Index>(512, elements / rows_ / 64 * 64);
        for (Index c = 0; c < cols_; c += width)
            tiles.push_back({0, rows_, c, std::min(cols_, c + width)});
        return tiles;
    }
    if (cols_ >= elements) {
        for (Index r = 0; r < rows_; ++r)
            for (Index c = 0; c < cols_; c += elements)
                tiles.push_back({r, r + 1, c, cols_ - c < elements ? cols_ : c + elements});
        return tiles;
    }
    // Whole rows; fewer, longer tiles where each would carry a large accumulator of its own.
    Index per_tile = std::max<Index>(1, elements / cols_);
    for (const auto& reduction : reductions_)
        if (reduction.strides[0] == 0 && reduction.outputs > 4096)
            per_tile = std::max(per_tile, (rows_ + 15) / 16);
    for (Index r = 0; r < rows_; r += per_tile)
        tiles.push_back({r, std::min(rows_, r + per_tile), 0, cols_});
    return tiles;
}

void Pass::plan() {
    // The longest blocks whose registers still fit the first-level cache.
    drop_roundings();
    count_truths();
    join_pairs();
    use_ones();
    use_narrow();
    const auto allocate_again = [this] {
        for (auto& slot : slots_) slot = Slot{slot.reg, slot.kind, slot.index};
        allocate_registers();
    };
    // What goes from memory to memory in one step needs none.
    block_ = program_.size() <= 1 && !by_columns() ? kTileElements : kLongestBlock;
    allocate_registers();
    if (scratch_bytes_ > 0 && block_ > kLongestBlock) {
        block_ = kLongestBlock;
        allocate_again();
    }
    while (block_ > 128 && scratch_bytes_ > kRegisterBudget) {
        block_ /= 2;
        allocate_again();
    }
    if (by_rows()) {
        block_ = cols_;
        allocate_again();
    }
    // Where something is stored, or loops read memory themselves, fetching ahead is in the way.
    ahead_ = outputs_.empty() && !program_.empty() && rows_ == 1 && cols_ >= kFarFrom;
}

}  // namespace rushlight
