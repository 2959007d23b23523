// How many CPUs this process may use.
#pragma once

namespace rushlight {

// What the number of threads starts from: RUSHLIGHT_NUM_THREADS or OMP_NUM_THREADS where set, else
// the physical cores within the CPU affinity, cut down to the container's CPU quota.
int default_threads();

}  // namespace rushlight
