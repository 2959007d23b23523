// An Op: what a declaration in Python says about one operation, and the call that runs its kernel
// and records it. Generic plumbing; the kernel and the derivative formulas are given to it.
#pragma once

#include <string>
#include <vector>

#include "tape/python.h"
#include "tape/tensor.h"

namespace rushlight {

inline constexpr int kMaxArguments = 24;

// What a formula takes after the gradient: something kept, or `needs`.
struct Source {
    enum Kind : std::uint8_t { Saved, Needs } kind;
    int index;  // position in OpSpec::saves
};

// What a node keeps of an argument (-1: of the result): itself, or only its shape,
// its dtype or its place in memory (shape, strides and offset).
struct Kept {
    int argument;
    enum What : std::uint8_t { Value, Shape, Type, Place } what = Value;
    bool operator==(const Kept&) const = default;
};

struct Formula {
    PyRef call;
    PyRef kernel;  // the same without history, in one pass; or null
    std::vector<Source> sources;
    explicit operator bool() const { return bool(call); }
};

// What the name of a node may depend on, where it is not the same for every call.
struct Fact {
    enum What : std::uint8_t { Value, Rank, Type, Recorded } what;
    int index = 0;  // position in OpSpec::saves
};

// What the tensor given as out= may be of.
enum class OutDtype : std::uint8_t {
    NoOut,
    Castable,  // any dtype that the result casts to
    Exact,     // the result's alone
    Computed,  // any: without another dtype given, the op computes in it
};

struct OpSpec {
    PyRef name;           // "mul"
    PyRef backward_name;  // "MulBackward0"; or (function, its arguments), called when asked for
    std::vector<Fact> name_facts;
    PyRef arguments;      // tuple of interned names
    PyRef defaults;       // tuple, for the last arguments
    PyRef kernel;         // callable(*arguments)
    int count = 0;        // of arguments
    int by_name = 0;      // how many of them, the last ones, a call gives by name only
    int variadic = -1;    // the argument that takes the remaining positional integers
    bool python_body = false;  // the kernel is Python: run it without recording
    bool view = false;         // the result shares the storage of the first argument
    OutDtype out = OutDtype::NoOut;
    int dtype_argument = -1;   // of an op that computes in the dtype of out=
    bool any_layout = false;   // takes tensors that are not strided as they are
    std::uint32_t tensors = 0;  // bit i: argument i must be a tensor, not a number
    bool one_tensor = false;    // one of the first two must be
    std::vector<int> differentiable;  // argument positions with a formula
    int list_argument = -1;           // a differentiable sequence of tensors
    std::vector<Formula> formulas;    // one per differentiable argument, or
    Formula joint;                    // one for all
    std::vector<Kept> saves;
    // For each of `saves`: which gradients need its value; bit i is the i-th differentiable argument.
    std::vector<std::uint32_t> used_by;
};

struct OpObject {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    OpSpec* spec;
    bool owns_spec;  // the in-place form borrows that of the op
    bool inplace;
    bool is_operator;  // the form behind a + b: NotImplemented for what it cannot take
    PyObject* origin;  // of an in-place form: the op
    PyObject* hook;    // called in place of the op, if set (autocast)
    PyObject* dict;    // __doc__, __name__, ...
};

extern PyTypeObject* op_type;

// Writes what the op `name` returned to the tensor (or tensors) given as out=, and returns that.
// `exact`: to no other dtype than that of the result.
PyRef write_out(const std::string& name, PyRef result, PyObject* out, bool exact);

}  // namespace rushlight
