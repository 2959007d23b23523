// Deferred loops. A pointwise operation or reduction on large arrays does not run when it is
// called: its result is an array with a Pending expression, already checked for shape and dtype.
// Forcing one plans a single Pass for all that it needs and for its siblings that share work.
#pragma once

#include <span>

#include "array/array.h"
#include "elementwise/loops.h"

namespace rushlight {

struct Pending final : RefCounted {
    enum class Kind : std::uint8_t { Pointwise, Cast, Reduce };

    Pending(ArrayBody& owner, Kind kind, std::span<const Operand> operands);
    ~Pending();

    ArrayBody* owner;  // the array whose value this is
    Kind kind;
    int arity;
    int row = -1;       // Pointwise: its row of the table
    DType calc{};       // the dtype that operands are converted to
    Operand inputs[kMostOperands];
    // Reduce: over `axes` (a bit per axis of the input)
    Reduction reduction{};
    bool mean = false;
    std::uint64_t axes = 0;

    int weight = 1;     // at least as many operations as the whole expression has
    // All pending expressions of the process, oldest first.
    Pending* older = nullptr;
    Pending* newer = nullptr;
    // Where the planner is with this node.
    const std::uint64_t order;  // by age
    std::uint64_t mark = 0;     // the plan that includes it
    std::uint64_t fits = 0;     // the plan whose loop could compute it
    std::uint64_t shares = 0;   // the plan whose work it could use
    int slot = -1;
    int cost = 0;  // operations to compute it again from what is in memory
    bool output = false;
    bool computed_before = false;  // by a pass that did not store it

    // The iteration space of the loop that computes it.
    const Dims& space() const noexcept {
        return kind == Kind::Reduce ? inputs[0].array.shape() : owner->shape();
    }
};

// The dtype two or more operands meet in: 0-dim tensors and numbers only raise the category.
DType result_type(std::span<const Operand> operands);

DType default_dtype() noexcept;
void set_default_dtype(DType dtype) noexcept;

// A row of the table on its operands (broadcast, promoted); runs now or later.
Array pointwise(int row, std::span<const Operand> operands);
int row_named(std::string_view name);  // for callers outside this folder

// Reduces over `axes` (a bit per axis) in the dtype of the result; runs now or later.
Array reduce(Reduction kind, const Array& array, std::uint64_t axes, bool keepdim, bool mean,
             DType result);

// Counts the operations of an expression once each, and remembers that as its weight.
int recount(Pending& root);

// Runs the expression of a pending body (and what shares its work).
void run_pending(ArrayBody& body);
// Runs it straight into `out` where that is safe; false: not done (and no longer pending).
bool run_into(ArrayBody& body, const Array& out);
// Runs every pending expression that reads the storage.
void run_readers(const Storage& storage);

// Whether operations run when they are called, whatever their size (RUSHLIGHT_EAGER=1).
bool eager() noexcept;
void set_eager(bool on) noexcept;

// While one lives, memory that others can see may be read late, too: the caller runs what it made
// before anybody can have written there.
class ReadSoon {
public:
    explicit ReadSoon(bool on) noexcept;
    ~ReadSoon();
    ReadSoon(const ReadSoon&) = delete;
    ReadSoon& operator=(const ReadSoon&) = delete;

private:
    bool before_;
};

}  // namespace rushlight
