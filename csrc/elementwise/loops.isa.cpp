// The table of one instruction set's loops, made at its first use.
#include "elementwise/isa_loops.h"

namespace rushlight::RUSHLIGHT_ISA {

const LoopTable& loops() {
    static const LoopTable made = [] {
        LoopTable table;
        add_plain_loops(table);
        add_float_loops(table);
        add_double_loops(table);
        add_int_loops(table);
        add_memory_loops(table);
        add_complex_loops(table);  // the last one: it replaces loops that the others add
        add_joined_loops(table);
        add_narrow_loops(table);
        add_reduce_loops(table);
        add_transpose_loops(table);
        return table;
    }();
    return made;
}

}  // namespace rushlight::RUSHLIGHT_ISA
