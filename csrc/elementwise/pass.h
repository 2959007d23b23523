// A Pass: one run over an iteration space that computes any number of pointwise values and
// reductions. It is a short program over registers, each a block of some hundred values that
// stays in the first-level cache.
#pragma once

#include <utility>
#include <vector>

#include "array/array.h"
#include "elementwise/loops.h"
#include "elementwise/row.h"

namespace rushlight {

// Tiles of more elements are not worth it.
inline constexpr Index kTileElements = 32768;

class Pass {
public:
    explicit Pass(Dims space) : space_(std::move(space)) {
        slots_.reserve(8);
        program_.reserve(4);
        leaves_.reserve(4);
    }

    // Each returns the number of the register slot that holds the value.
    int leaf(const Array& array);  // array broadcasts to the space
    int leaf(const Array& array, Reg reg);
    int constant(const Scalar& value, DType dtype);
    int convert(int slot, DType from, DType to);
    int round(int slot, DType dtype);  // to what the dtype can hold
    int apply(int row, Reg reg, Reg result, std::span<const int> sources);

    // What is to be kept of a slot: its values (`out` has the shape of the space), or a reduction
    // over `axes` (a bit per axis of the space) into a contiguous `out` of the other axes.
    void keep(int slot, const Array& out);
    void reduce(int slot, Reduction kind, std::uint64_t axes, bool mean, const Array& out);

    // Uses the pass up. A short one may run behind the caller (array/launch.h).
    void run();

private:
    struct Slot {
        Reg reg;
        enum Kind : std::uint8_t { Temporary, Leaf, Constant } kind;
        int index;  // of the leaf or constant
        int out = -1;
        int physical = -1;
        int first = -1, last = -1;  // instructions that write and last read it
        bool direct = false;        // a leaf that is read where it lies
        bool fixed = false;         // a leaf that is the same for every block: read once
    };
    struct Instruction {
        PointwiseLoop loop;
        int dst, src[kMostOperands], arity;
        double cost;
        int row = -1;  // of the table, for float arithmetic that may pair up
        int rounds_to = -1;  // the dtype whose rounding this is
        int column = -1;     // the operand that is one value for each of several rows
        Reg reg = Reg::Float;
        int table_row = -1;
        unsigned ones = 0;   // operands, a bit each, of which the loop reads one value
    };
    struct Access {  // how memory is walked: strides in bytes over the collapsed space
        std::byte* base;
        DType dtype;
        Dims strides;
        bool linear = false;  // address = base + linear index * size
    };
    struct Leaf {
        Array array;
        Access access;
    };
    struct Constant {
        Scalar value;
        DType dtype;
        int slot;
    };
    struct Output {
        Array array;
        Access access;
        int slot;
        bool direct;  // the instruction writes straight to memory
    };
    struct Reduce {
        Array out;
        std::byte* to;
        DType result;
        int slot;
        Reduction kind;
        bool mean;
        std::uint64_t axes;
        Dims strides;  // of the accumulator over the collapsed space, in elements; 0 = reduced
        Index outputs = 1;
        Reg accumulator;
        DType source = DType::F32;  // of what is read: a register, or the memory of a leaf
        bool near = false;  // rows are added up as floats first
        std::vector<std::byte> total = {};
    };
    struct Tile {
        Index row_begin, row_end, col_begin, col_end;
    };
    class Runner;

    int step(PointwiseLoop loop, int slot, Reg reg);

    std::vector<Array> take_arrays();
    void run_collapsed();
    void run_tiles();
    void plan();
    void collapse();
    void order_axes(std::span<Dims* const> all);
    void drop_roundings();
    void count_truths();
    void join_pairs();
    void use_ones();
    unsigned ones_of(Instruction& instruction) const;
    void use_narrow();
    void allocate_registers();
    std::vector<Tile> make_tiles() const;
    std::pair<Index, Index> outputs_of(const Reduce& reduction, const Tile& tile) const;
    void finish(Reduce& reduction) const;
    bool by_columns() const;
    bool by_rows() const;
    bool is_fixed(const Access& access) const;
    bool is_column(const Slot& slot) const;
    std::vector<bool> computed_with() const;

    Dims space_;
    std::vector<Slot> slots_;
    std::vector<Instruction> program_;
    std::vector<Leaf> leaves_;
    std::vector<Constant> constants_;
    std::vector<Output> outputs_;
    std::vector<Reduce> reductions_;
    // After collapse(): the space as rows (all axes but the last) of columns.
    Dims dims_;
    Index rows_ = 1, cols_ = 1;
    Index block_ = 256;
    bool narrow_ = false;  // a loop from memory to memory, in the dtype of the operands
    std::vector<bool> single_;  // slots of which a row's one value is read where it is
    std::vector<int> moving_;  // slots that lie elsewhere in memory for every block
    int physical_ = 0;
    bool ahead_ = false;  // memory is read from beyond the caches, while blocks are computed
    std::vector<std::size_t> offsets_;  // of the registers in a thread's scratch memory
    std::size_t scratch_bytes_ = 0;
};

// Whether a register of this dtype has the layout of memory.
inline bool plain_layout(DType d) { return size_of(d) == reg_size(reg_of(d)); }

// The dtype that the loop of a row in `calc` reads as operand number i, and the one in which a
// pass brings that operand in.
DType loop_dtype(int row, int i, DType calc);
DType operand_dtype(int row, int i, const Operand& operand, DType calc);
// A row of the table in a pass, its result rounded to what `calc` can hold.
int apply_row(Pass& pass, int row, const RowInfo& info, DType calc, std::span<const int> sources);

}  // namespace rushlight
