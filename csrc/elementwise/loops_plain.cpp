// The pointwise rows on blocks of uint64 and complex numbers: one build serves all instruction
// sets, since training spends no time here.
#include "elementwise/pointwise_loops.h"

namespace rushlight {

void add_plain_loops(LoopTable& table) {
    add_pointwise<Reg::Unsigned>(table);
    add_pointwise<Reg::Complex>(table);
}

}  // namespace rushlight
