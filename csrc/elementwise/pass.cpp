// How a Pass is built: what it reads, computes and keeps. pass_plan.cpp then decides how it is to
// run, and pass_run.cpp runs it.
#include "elementwise/pass.h"

#include <algorithm>
#include <cmath>

#include "elementwise/pending.h"

namespace rushlight {

namespace {

Reg accumulator_of(Reduction kind, Reg reg) {
    const bool adds = kind == Reduction::Sum || kind == Reduction::Prod;
    return adds && reg == Reg::Float ? Reg::Double : reg;
}

}  // namespace

int Pass::leaf(const Array& array) { return leaf(array, reg_of(array.dtype())); }

int Pass::leaf(const Array& array, Reg reg) {
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (slots_[i].kind == Slot::Leaf && slots_[i].reg == reg) {
            const Array& known = leaves_[slots_[i].index].array;
            if (known.body() == array.body() ||
                (known.dtype() == array.dtype() && known.same_geometry(array)))
                return int(i);
        }
    Leaf leaf{array, {array.address(), array.dtype(), {}, false}};
    const Index size = Index(array.itemsize());
    const int lead = space_.size() - array.ndim();
    leaf.access.strides = Dims(space_.size(), 0);
    for (int d = 0; d < array.ndim(); ++d)
        if (array.size(d) != 1) leaf.access.strides[lead + d] = array.stride(d) * size;
    leaves_.push_back(std::move(leaf));
    slots_.push_back({reg, Slot::Leaf, int(leaves_.size()) - 1});
    return int(slots_.size()) - 1;
}

int Pass::constant(const Scalar& value, DType dtype) {
    for (const Constant& known : constants_)  // each takes a block of the cache: keep them few
        if (known.dtype == dtype && known.value.kind() == value.kind() &&
            known.value.to<Complex128>() == value.to<Complex128>() &&
            known.value.to<std::int64_t>() == value.to<std::int64_t>() &&
            std::signbit(known.value.to<double>()) == std::signbit(value.to<double>()))
            return known.slot;
    slots_.push_back({reg_of(dtype), Slot::Constant, int(constants_.size())});
    constants_.push_back({value, dtype, int(slots_.size()) - 1});
    return int(slots_.size()) - 1;
}

int Pass::step(PointwiseLoop loop, int slot, Reg reg) {
    slots_.push_back({reg, Slot::Temporary, 0});
    const int dst = int(slots_.size()) - 1;
    program_.push_back({loop, dst, {slot, 0, 0}, 1, 0.1});
    return dst;
}

int Pass::convert(int slot, DType from, DType to) {
    if (from == to) return slot;
    if (Slot& source = slots_[std::size_t(slot)];
        source.kind == Slot::Leaf && source.reg == reg_of(from) && to == DType::F32 &&
        loops().load_float[int(from)]) {
        // Read as floats: the leaf itself where nobody has used it yet.
        const auto kept = [&](const auto& result) { return result.slot == slot; };
        if (slot + 1 != int(slots_.size()) || std::ranges::any_of(outputs_, kept) ||
            std::ranges::any_of(reductions_, kept))
            return leaf(Array(leaves_[std::size_t(source.index)].array), Reg::Float);
        source.reg = Reg::Float;
        return slot;
    }
    if (reg_of(from) != reg_of(to))
        slot = step(loops().convert[int(reg_of(from))][int(reg_of(to))], slot, reg_of(to));
    return from == DType::Bool ? slot : round(slot, to);
}

int Pass::round(int slot, DType dtype) {
    PointwiseLoop loop = loops().round[int(dtype)];
    if (!loop) return slot;
    const int rounded = step(loop, slot, reg_of(dtype));
    program_.back().rounds_to = int(dtype);
    return rounded;
}

int Pass::apply(int row, Reg reg, Reg result, std::span<const int> sources) {
    slots_.push_back({result, Slot::Temporary, 0});
    Instruction instruction{loops().pointwise[row][int(reg)], int(slots_.size()) - 1, {}, 0, 0.15};
    for (int s : sources) instruction.src[instruction.arity++] = s;
    if (reg == Reg::Float && instruction.arity == 2) instruction.row = row;
    instruction.reg = reg;
    instruction.table_row = row;
    program_.push_back(instruction);
    return int(slots_.size()) - 1;
}

void Pass::keep(int slot, const Array& out) {
    Output output{out, {out.address(), out.dtype(), Dims(space_.size(), 0), false}, slot, false};
    for (int d = 0; d < out.ndim(); ++d)
        if (out.size(d) != 1) output.access.strides[d] = out.stride(d) * Index(out.itemsize());
    outputs_.push_back(std::move(output));
}

void Pass::reduce(int slot, Reduction kind, std::uint64_t axes, bool mean, const Array& out) {
    Reduce reduction{out,  out.address(), out.dtype(),
                     slot, kind,          mean,
                     axes, Dims(space_.size(), 0), 1,
                     accumulator_of(kind, slots_[slot].reg), {}};
    for (int d = space_.size() - 1; d >= 0; --d)
        if (!((axes >> d) & 1)) {
            if (space_[d] != 1) reduction.strides[d] = reduction.outputs;
            reduction.outputs *= space_[d];
        }
    reductions_.push_back(std::move(reduction));
}

}  // namespace rushlight
