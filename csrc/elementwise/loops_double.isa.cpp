// The pointwise rows on blocks of double, compiled once per instruction set.
#include "elementwise/pointwise_loops.h"

namespace rushlight::RUSHLIGHT_ISA {

void add_double_loops(LoopTable& table) { add_pointwise<Reg::Double>(table); }

}  // namespace rushlight::RUSHLIGHT_ISA
