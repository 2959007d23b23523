// Picks the loops for this machine's instruction set, once.
#include "elementwise/loops.h"

#include "runtime/isa.h"

namespace rushlight {

// add_complex_loops comes last: it replaces loops that the others add.
void add_plain_loops(LoopTable& table);

#if defined(__x86_64__)
namespace v2 {
void add_float_loops(LoopTable& table);
void add_double_loops(LoopTable& table);
void add_int_loops(LoopTable& table);
void add_memory_loops(LoopTable& table);
void add_complex_loops(LoopTable& table);
}  // namespace v2
namespace v3 {
void add_float_loops(LoopTable& table);
void add_double_loops(LoopTable& table);
void add_int_loops(LoopTable& table);
void add_memory_loops(LoopTable& table);
void add_complex_loops(LoopTable& table);
}  // namespace v3
namespace v4 {
void add_float_loops(LoopTable& table);
void add_double_loops(LoopTable& table);
void add_int_loops(LoopTable& table);
void add_memory_loops(LoopTable& table);
void add_complex_loops(LoopTable& table);
}  // namespace v4
#else
namespace generic {
void add_float_loops(LoopTable& table);
void add_double_loops(LoopTable& table);
void add_int_loops(LoopTable& table);
void add_memory_loops(LoopTable& table);
void add_complex_loops(LoopTable& table);
}  // namespace generic
#endif

namespace {

LoopTable make_table() {
    LoopTable table;
    add_plain_loops(table);
#if defined(__x86_64__)
    switch (isa()) {
        case Isa::V4:
            v4::add_float_loops(table);
            v4::add_double_loops(table);
            v4::add_int_loops(table);
            v4::add_memory_loops(table);
            v4::add_complex_loops(table);
            break;
        case Isa::V3:
            v3::add_float_loops(table);
            v3::add_double_loops(table);
            v3::add_int_loops(table);
            v3::add_memory_loops(table);
            v3::add_complex_loops(table);
            break;
        default:
            v2::add_float_loops(table);
            v2::add_double_loops(table);
            v2::add_int_loops(table);
            v2::add_memory_loops(table);
            v2::add_complex_loops(table);
    }
#else
    generic::add_float_loops(table);
    generic::add_double_loops(table);
    generic::add_int_loops(table);
    generic::add_memory_loops(table);
    generic::add_complex_loops(table);
#endif
    return table;
}

}  // namespace

const LoopTable& loops() {
    static const LoopTable table = make_table();
    return table;
}

}  // namespace rushlight
